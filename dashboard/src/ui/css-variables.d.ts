import 'react'

declare module 'react' {
  // Custom properties may be set on elements: that is CSSOM, which the content policy allows. Styles themselves are in styles/.
  interface CSSProperties {
    [name: `--${string}`]: string | number | undefined
  }
}
