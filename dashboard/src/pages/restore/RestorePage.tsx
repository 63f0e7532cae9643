export function RestorePage() {
  return null
}
