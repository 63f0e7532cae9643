import { useState } from 'react'

export type Theme = 'system' | 'light' | 'dark'

/** What public/theme.js applies before the first paint. */
export function useTheme(): [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState<Theme>(
    () => (document.documentElement.dataset['theme'] as Theme | undefined) ?? 'system',
  )
  return [
    theme,
    (next) => {
      setTheme(next)
      if (next === 'system') {
        delete document.documentElement.dataset['theme']
        localStorage.removeItem('theme')
      } else {
        document.documentElement.dataset['theme'] = next
        localStorage.setItem('theme', next)
      }
    },
  ]
}
