/** How the text of a database is read here. */
export interface TextEncoding {
  /** What a person should know of it; undefined where every character is read as it was meant. */
  readonly note: string | undefined
  /** One value; of a `cut` one, the last character may lack bytes. */
  decode(bytes: Uint8Array, options: { readonly cut: boolean }): string
  /** One value piece by piece. */
  open(): (bytes: Uint8Array) => string
}

/** Encodings of databases (chapter "Character Set Support") in the words of WHATWG's Encoding Standard. */
const labels: Readonly<Record<string, string>> = {
  UTF8: 'utf-8',
  EUC_CN: 'gbk',
  EUC_JIS_2004: 'euc-jp',
  EUC_JP: 'euc-jp',
  EUC_KR: 'euc-kr',
  ISO_8859_5: 'iso-8859-5',
  ISO_8859_6: 'iso-8859-6',
  ISO_8859_7: 'iso-8859-7',
  ISO_8859_8: 'iso-8859-8',
  KOI8R: 'koi8-r',
  KOI8U: 'koi8-u',
  LATIN2: 'iso-8859-2',
  LATIN3: 'iso-8859-3',
  LATIN4: 'iso-8859-4',
  LATIN5: 'iso-8859-9',
  LATIN6: 'iso-8859-10',
  LATIN7: 'iso-8859-13',
  LATIN8: 'iso-8859-14',
  LATIN9: 'iso-8859-15',
  LATIN10: 'iso-8859-16',
  WIN866: 'ibm866',
  WIN874: 'windows-874',
  ...Object.fromEntries(Array.from({ length: 9 }, (_, page) => [`WIN125${page}`, `windows-125${page}`])),
}

/** `name` is one of PostgreSQL's. */
export function textEncoding(name: string): TextEncoding {
  if (name === 'LATIN1') return { note: undefined, decode: asLatin1, open: () => asLatin1 } // WHATWG's is windows-1252
  if (name === 'SQL_ASCII') {
    return {
      note: 'its encoding is SQL_ASCII, bytes without a meaning: values are read as UTF-8 where they are that, and else bytes above 127 are shown as \\xNN',
      decode: decodeIfUtf8,
      open: () => openDecoder('utf-8'),
    }
  }
  const label = labels[name]
  if (label === undefined) {
    return {
      note: `its encoding ${name} is not known here: bytes above 127 are shown as \\xNN, and only ASCII is searched for`,
      decode: asAscii,
      open: () => (bytes) => asLatin1(bytes).replace(highBytes, '\ufffd'),
    }
  }
  const whole = new TextDecoder(label, { ignoreBOM: true })
  const open = () => openDecoder(label)
  return { note: undefined, decode: (bytes, { cut }) => (cut ? open()(bytes) : whole.decode(bytes)), open }
}

const highBytes = /[\x80-\xff]/g

function asLatin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

function asAscii(bytes: Uint8Array): string {
  return asLatin1(bytes).replace(highBytes, (byte) => `\\x${byte.charCodeAt(0).toString(16)}`)
}

function decodeIfUtf8(bytes: Uint8Array, { cut }: { readonly cut: boolean }): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: cut })
  } catch {
    return asAscii(bytes)
  }
}

function openDecoder(label: string): (bytes: Uint8Array) => string {
  const decoder = new TextDecoder(label, { ignoreBOM: true })
  return (bytes) => decoder.decode(bytes, { stream: true })
}
