import type { AbsoluteCommand } from './absolute-command.ts'
import type { Job, Moment } from './plan-jobs.ts'

const unitFolder = '/etc/systemd/system'

/**
 * What keeps a run, and so its hooks, from sudo and from programs with a set-group-ID bit, such as those that send mail:
 * systemd.exec(5) says of each that it implies NoNewPrivileges where User= is set.
 */
const unprivileged = `NoNewPrivileges=true
PrivateDevices=true
ProtectKernelModules=true
ProtectKernelTunables=true
LockPersonality=true
RestrictRealtime=true
RestrictSUIDSGID=true
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
`

/**
 * Two units a job, by their file names. No PrivateTmp: in /tmp pgrevive finds what killed runs left and which runs are
 * under way. No MemoryDenyWriteExecute: Node compiles. The time to stop is for hooks that start again what they stopped.
 */
export function systemdUnits(
  jobs: readonly Job[],
  { words, directory, variables }: AbsoluteCommand,
  { user, hasHooks }: { readonly user: string; readonly hasHooks: boolean },
): ReadonlyMap<string, string> {
  const service = ({ purpose, commands }: Job) => `[Unit]
Description=pgrevive: ${specifiers(purpose)}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
User=${user}
WorkingDirectory=${specifiers(directory)}
${[...variables].map(([name, value]) => `Environment=${quoted(`${name}=${value}`)}\n`).join('')}${commands.map((command) => `ExecStart=${[...words, ...command].map(argument).join(' ')}\n`).join('')}TimeoutStopSec=10min
Nice=10
UMask=0077
ProtectSystem=full
ProtectControlGroups=true
${hasHooks ? '# hooks may need sudo or mail: nothing here forbids them privileges\n' : unprivileged}`
  const timer = ({ purpose, moment }: Job) => `[Unit]
Description=pgrevive: when to ${specifiers(purpose)}

[Timer]
OnCalendar=${calendar(moment)}
RandomizedDelaySec=15min
Persistent=true

[Install]
WantedBy=timers.target
`
  return new Map(
    jobs.flatMap((job) => [
      [`pgrevive-${job.name}.service`, service(job)],
      [`pgrevive-${job.name}.timer`, timer(job)],
    ]),
  )
}

/** For a shell of root: writes the units and starts the timers. */
export function installScript(units: ReadonlyMap<string, string>, notes: readonly string[]): string {
  const timers = [...units.keys()].filter((name) => name.endsWith('.timer'))
  const texts = [...units.values()]
  let end = 'END_OF_UNIT'
  while (texts.some((text) => text.includes(end))) end += '_'
  return [
    '# pgrevive: paste this into a shell of root, or pipe it: pgrevive schedule --print systemd | sudo sh',
    ...notes.map((note) => `# ${note}`),
    ...[...units].map(([name, text]) => `cat >${unitFolder}/${name} <<'${end}'\n${text}${end}`),
    'systemctl daemon-reload',
    `systemctl enable --now ${timers.join(' ')}`,
    '# look: systemctl list-timers "pgrevive-*"; journalctl -u pgrevive-backup',
    '',
  ].join('\n')
}

function calendar({ hours, minute, days }: Moment): string {
  const time = `${hours.length === 24 ? '*' : hours.map(twoDigits).join(',')}:${twoDigits(minute)}:00`
  if (days === 'sundays') return `Sun *-*-* ${time}`
  return `*-*-${days === 'firsts' ? '01' : '*'} ${time}`
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0')
}

/** systemd.unit(5): a percent sign begins a specifier. */
function specifiers(text: string): string {
  return text.replaceAll('%', '%%')
}

function quoted(text: string): string {
  return `"${specifiers(text).replaceAll(/["\\]/g, '\\$&')}"`
}

/** systemd.service(5): `$` begins a variable in a command line, and nowhere else. */
function argument(text: string): string {
  return (/^[\w@%+=:,./-]+$/.test(text) ? specifiers(text) : quoted(text)).replaceAll('$', '$$$$')
}
