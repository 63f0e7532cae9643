import { sentence } from '../text/format.ts'

/** What to do: a sentence, or a command, which stays as it is to be typed. */
export function Remedy({ text }: { text: string }) {
  return text.startsWith('pgrevive ') ? <code>{text}</code> : sentence(text)
}
