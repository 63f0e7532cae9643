import { useState } from 'react'

/** What a one-time link carries behind "#", which no server or proxy ever sees. */
export function useLinkToken(): string {
  const [token] = useState(() => decodeURIComponent(window.location.hash.slice(1)))
  return token
}
