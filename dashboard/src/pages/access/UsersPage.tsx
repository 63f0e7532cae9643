import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link2, MoreHorizontal, UserCheck, UserMinus, UserPlus, UserX } from 'lucide-react'
import { useState } from 'react'
import type { InvitedUser, User } from '../../../../src/shapes/access.ts'
import { at, patch, post, remove } from '../../api/client.ts'
import { queries } from '../../api/queries.ts'
import { Page } from '../../app/Page.tsx'
import { useSession } from '../../app/session.ts'
import { Asked } from '../../ui/Asked.tsx'
import { Button } from '../../ui/Button.tsx'
import { Confirm } from '../../ui/Confirm.tsx'
import { Copyable } from '../../ui/Copyable.tsx'
import { Dialog } from '../../ui/Dialog.tsx'
import { SelectField, TextField } from '../../ui/Field.tsx'
import { Menu, MenuAct } from '../../ui/Menu.tsx'
import { Note, Problem } from '../../ui/Note.tsx'
import { Ago, When } from '../../ui/Time.tsx'
import { act, tell } from '../../ui/toasts.tsx'
import { useAct } from '../../ui/use-act.ts'

type Role = User['role']
const roleWords: Record<Role, string> = {
  viewer: 'viewer: sees everything but rows and secrets',
  operator: 'operator: also backs up, proves, restores, and sees rows',
  admin: 'admin: also changes settings, users, tokens; forgets and prunes',
}

export function UsersPage() {
  const query = useQuery(queries.users)
  const client = useQueryClient()
  const { user: self } = useSession()
  const [inviting, setInviting] = useState(false)
  const [removing, setRemoving] = useState<User | null>(null)
  const [invited, setInvited] = useState<InvitedUser | null>(null)
  const again = () => client.invalidateQueries({ queryKey: queries.users.queryKey })
  const change = async (user: User, what: Partial<Pick<User, 'role' | 'disabled'>>, done: string) => {
    if (await act(() => patch(at`users/${user.id}`, what), done)) await again()
  }
  const newLink = async (user: User) => {
    try {
      setInvited(await post<InvitedUser>(at`users/${user.id}/link`))
    } catch (error) {
      tell(error as Error)
    }
  }
  return (
    <Page
      title="Users"
      about="Who may see, do and change what. Everything that they do is in the audit log."
      actions={
        <Button kind="primary" icon={<UserPlus />} onClick={() => setInviting(true)}>
          Invite somebody
        </Button>
      }
    >
      <Asked query={query} what="the users">
        {(users) => (
          <div className="card table-scroll" tabIndex={0} role="region" aria-label="Users">
            <table className="table">
              <thead>
                <tr>
                  <th>Name</th>
                  <th>Role</th>
                  <th>Signs in by</th>
                  <th>Last seen</th>
                  <th>
                    <span className="hidden-text">Acts</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {users.map((user) => (
                  <tr key={user.id}>
                    <td>
                      <span className="strong">{user.name}</span>{' '}
                      {user.disabled && <span className="chip">disabled</span>}
                      <span className="quiet block">{user.email}</span>
                    </td>
                    <td>
                      <select
                        className="input slim"
                        aria-label={`Role of ${user.name}`}
                        value={user.role}
                        disabled={user.id === self.id || user.viaSso}
                        onChange={(event) =>
                          void change(
                            user,
                            { role: event.target.value as Role },
                            `${user.name} is ${event.target.value} now.`,
                          )
                        }
                      >
                        {(Object.keys(roleWords) as Role[]).map((role) => (
                          <option key={role}>{role}</option>
                        ))}
                      </select>
                    </td>
                    <td>{user.viaSso ? 'single sign-on' : user.totp ? 'password and second factor' : 'password'}</td>
                    <td>
                      {user.lastSeenAt === null ? <span className="quiet">never</span> : <Ago at={user.lastSeenAt} />}
                    </td>
                    <td className="act">
                      {user.id !== self.id && (
                        <Menu
                          trigger={
                            <Button
                              kind="ghost"
                              slim
                              icon={<MoreHorizontal />}
                              label={`What can be done with ${user.name}`}
                            />
                          }
                        >
                          {!user.viaSso && (
                            <MenuAct icon={<Link2 />} onSelect={() => void newLink(user)}>
                              New link to set a password
                            </MenuAct>
                          )}
                          {user.disabled ? (
                            <MenuAct
                              icon={<UserCheck />}
                              onSelect={() => void change(user, { disabled: false }, `${user.name} may sign in again.`)}
                            >
                              Let sign in again
                            </MenuAct>
                          ) : (
                            <MenuAct
                              icon={<UserX />}
                              onSelect={() =>
                                void change(user, { disabled: true }, `${user.name} is signed out, and can't sign in.`)
                              }
                            >
                              Disable
                            </MenuAct>
                          )}
                          <MenuAct icon={<UserMinus />} onSelect={() => setRemoving(user)}>
                            Remove…
                          </MenuAct>
                        </Menu>
                      )}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Asked>
      <Dialog
        open={inviting}
        onClose={() => setInviting(false)}
        title="Invite somebody"
        about="You get a link to give to them. It sets their password, once."
      >
        <Invite
          done={(made) => {
            setInviting(false)
            setInvited(made)
            void again()
          }}
        />
      </Dialog>
      <Dialog open={invited !== null} onClose={() => setInvited(null)} title={`A link for ${invited?.user.name ?? ''}`}>
        {invited && (
          <div className="stack">
            <Copyable text={invited.link} what="the link" />
            <Note tone="risk">
              Shown this once. Give it to nobody else; it is good until <When at={invited.expiresAt} />.
            </Note>
          </div>
        )}
      </Dialog>
      <Confirm
        open={removing !== null}
        onClose={() => setRemoving(null)}
        title={`Remove ${removing?.name ?? ''}?`}
        verb="Remove"
        act={async () => {
          if (removing) await remove(at`users/${removing.id}`)
          await again()
        }}
      >
        <p>They are signed out at once, and can't sign in any more. What they did stays in the audit log.</p>
      </Confirm>
    </Page>
  )
}

function Invite({ done }: { done: (invited: InvitedUser) => void }) {
  const [name, setName] = useState('')
  const [email, setEmail] = useState('')
  const [role, setRole] = useState<Role>('viewer')
  const invite = useAct(() => post<InvitedUser>(at`users`, { name, email, role }), done)
  return (
    <form className="form" onSubmit={invite.submit} onChange={invite.forget}>
      <TextField label="Name" required maxLength={100} value={name} onChange={(event) => setName(event.target.value)} />
      <TextField
        label="E-mail"
        type="email"
        required
        maxLength={200}
        value={email}
        onChange={(event) => setEmail(event.target.value)}
      />
      <SelectField label="Role" value={role} onChange={(event) => setRole(event.target.value as Role)}>
        {(Object.keys(roleWords) as Role[]).map((one) => (
          <option key={one} value={one}>
            {roleWords[one]}
          </option>
        ))}
      </SelectField>
      {invite.error && <Problem error={invite.error} />}
      <div className="form-foot">
        <Button kind="primary" type="submit" disabled={invite.busy}>
          Make the link
        </Button>
      </div>
    </form>
  )
}
