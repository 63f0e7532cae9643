import type { Notice } from './notice.ts'

/** A name that would do harm wherever it is taken for more than a name. */
export const hostileName = `<!channel> @everyone <script>alert(1)</script> & *b* [x](http://evil.example) \r\nBcc: evil@example.com "'\u202e`

export function testNotice(
  changes: { kind?: Notice['kind']; alert?: Partial<Notice['alert']>; link?: string } = {},
): Notice {
  const { kind = 'opened', alert = {}, link } = changes
  return {
    id: '01M8QF0000000000000000NOTE',
    kind,
    at: new Date('2026-11-23T02:00:00Z'),
    link,
    service: 'pgrevive.example',
    alert: {
      id: '01M8QF00000000000000ALERT1',
      kind: 'run-failed',
      severity: 'critical',
      subject: 'nightly',
      title: 'the backup of shop failed',
      text: 'the server db can not be reached',
      remedy: 'look whether it runs',
      run: null,
      openedAt: '2026-11-23T02:00:00.000Z',
      toldAt: null,
      closedAt: null,
      acknowledgedBy: null,
      ...alert,
    },
  }
}
