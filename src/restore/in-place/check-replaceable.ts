import { AppError } from '../../core/app-error.ts'
import { quoteLiteral } from '../../postgres/sql/quote.ts'
import { type ConnectionTarget, describeTarget } from '../../postgres/target/connection-target.ts'
import type { Connection } from '../../postgres/wire/connection.ts'

/**
 * Whether there is a database that the current role may rename, so that another one can take its name. Throws
 * `database-missing`, `usage-invalid` or `permission-denied`.
 */
export async function checkReplaceable(
  maintenance: Connection,
  target: ConnectionTarget,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const name = JSON.stringify(target.database)
  const [facts] = await maintenance.query(
    `SELECT CURRENT_USER, pg_catalog.pg_get_userbyid(d.datdba), d.datistemplate,
       (SELECT rolsuper OR rolcreatedb AND pg_catalog.pg_has_role(d.datdba, 'USAGE') FROM pg_catalog.pg_roles
        WHERE rolname OPERATOR(pg_catalog.=) CURRENT_USER)
     FROM pg_catalog.pg_database d
     WHERE d.datname OPERATOR(pg_catalog.=) ${quoteLiteral(target.database, maintenance)}`,
    options,
  )
  if (!facts) {
    throw new AppError('database-missing', `there is no database ${name} to take the place of`, {
      hint: `restore without --in-place: --to ${target.database} creates it`,
    })
  }
  const [user, owner, isTemplate, mayRename] = facts
  if (isTemplate === 't' || ['postgres', 'template0', 'template1'].includes(target.database)) {
    throw new AppError('usage-invalid', `${name} belongs to the server, or is a template, and is not replaced`, {
      hint: 'name another database',
    })
  }
  if (mayRename === 't') return
  throw new AppError('permission-denied', `${user} may not rename ${describeTarget(target)}`, {
    hint: `that takes CREATEDB and being ${owner}, who owns it, or a superuser; where nobody gives you that, as on hosted servers: --replace`,
  })
}
