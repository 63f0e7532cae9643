// Before anything is painted, so that a chosen theme does not flash. (A file of its own: the content policy forbids inline scripts.)
try {
  const theme = localStorage.getItem('theme')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
} catch {
  // Storage is forbidden: the system's theme it is.
}
