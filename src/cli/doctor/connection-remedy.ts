import type { AppError } from '../../core/app-error.ts'
import type { ConnectionTarget } from '../../postgres/target/connection-target.ts'
import { PostgresError } from '../../postgres/wire/postgres-error.ts'
import { shellWord } from '../terminal/shell-word.ts'

/** The command that mends a connection which was refused. */
export function connectionRemedy({ code, hint, cause }: AppError, target: ConnectionTarget): string | undefined {
  const { user, database } = target
  const state = cause instanceof PostgresError ? cause.sqlState : undefined
  if (code === 'database-missing')
    return `createdb ${hostOptions(target)} ${shellWord(database)}   # or correct its name: psql -l`
  if (code === 'authentication-failed') {
    if (state === '28000')
      return `${asAdministrator(target, `CREATE ROLE ${JSON.stringify(user)} LOGIN`)}   # or correct the user, or pg_hba.conf`
    return `correct the password in ~/.pgpass (chmod 600), PGPASSWORD or password_file; is there such a role? ${asAdministrator(target, `\\du ${JSON.stringify(user)}`)}`
  }
  // whoever answers says what it is at
  if (code === 'connection-failed' && !state) {
    return `systemctl start postgresql   # on ${target.hosts[0]?.host ?? 'the server'}; in a container: docker start NAME; then: pg_isready ${hostOptions(target)}`
  }
  return hint
}

/** A statement as the database's own user. */
export function psql(target: ConnectionTarget, sql: string): string {
  return `psql ${hostOptions(target)} -d ${shellWord(target.database)} -U postgres -c ${shellWord(sql)}`
}

function asAdministrator(target: ConnectionTarget, sql: string): string {
  return `psql ${hostOptions(target)} -U postgres -c ${shellWord(sql)}`
}

function hostOptions({ hosts }: ConnectionTarget): string {
  const [host] = hosts
  return host ? `-h ${shellWord(host.host)} -p ${host.port}` : ''
}
