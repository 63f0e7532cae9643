import type { AppError } from '../../core/app-error.ts'
import { quoteIdentifier, quoteLiteral } from '../../postgres/sql/quote.ts'
import type { ConnectionTarget } from '../../postgres/target/connection-target.ts'
import { PostgresError } from '../../postgres/wire/postgres-error.ts'
import type { ReachedDatabase } from '../databases/reach-database.ts'
import { shellWord } from '../../core/text/shell-word.ts'

/** Where a database is, for somebody who would mend it by hand. */
type Place = Pick<ReachedDatabase, 'target' | 'administration'>

/** The command that mends a connection which was refused. */
export function connectionRemedy({ code, hint, cause }: AppError, place: Place): string | undefined {
  const { user, database, hosts } = place.target
  const state = cause instanceof PostgresError ? cause.sqlState : undefined
  if (code === 'database-missing') {
    return `${asAdministrator(place, 'createdb', [database])}   # or correct its name: ${asAdministrator(place, 'psql', ['-l'])}`
  }
  if (code === 'authentication-failed') {
    if (state === '28000')
      return `${psql(place, `CREATE ROLE ${quoteIdentifier(user)} LOGIN`, 'postgres')}   # or correct the user, or pg_hba.conf`
    const roles = `SELECT rolname FROM pg_roles WHERE rolname = ${quoteLiteral(user)} AND rolcanlogin`
    return `correct the password in ~/.pgpass (chmod 600), PGPASSWORD or password_file; is there such a role? ${psql(place, roles, 'postgres')}`
  }
  // whoever answers says what it is at
  if (code === 'connection-failed' && !state && place.administration.kind === 'direct') {
    return `systemctl start postgresql   # on ${hosts[0]?.host ?? 'the server'}; in a container: docker start NAME; then: ${['pg_isready', ...hostOptions(place.target)].join(' ')}`
  }
  return hint
}

/** A statement as a superuser, in the database itself unless another one is named. */
export function psql(place: Place, sql: string, database = place.target.database): string {
  return asAdministrator(place, 'psql', ['-d', database, '-c', sql])
}

/** A program of PostgreSQL where it reaches the server: here, in the container, or on the other end of a tunnel. */
function asAdministrator({ target, administration }: Place, program: string, args: readonly string[]): string {
  const words = args.map(shellWord)
  if (administration.kind === 'container') {
    const { container, superuser } = administration
    return ['docker exec -it', shellWord(container), program, '-U', shellWord(superuser), ...words].join(' ')
  }
  const command = [program, ...hostOptions(target), '-U postgres', ...words].join(' ')
  if (administration.kind === 'direct') return command
  const { user, host, port } = administration.place
  const login = shellWord(user === undefined ? host : `${user}@${host}`)
  return `ssh -t -p ${port} ${login} ${shellWord(command)}`
}

function hostOptions({ hosts }: ConnectionTarget): string[] {
  const [host] = hosts
  return host ? ['-h', shellWord(host.host), '-p', String(host.port)] : []
}
