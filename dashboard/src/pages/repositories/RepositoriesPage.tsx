import { useQuery, useQueryClient } from '@tanstack/react-query'
import { HardDrive, Plus, RefreshCw, ShieldCheck } from 'lucide-react'
import { useState } from 'react'
import { useNavigate } from 'react-router'
import type { Repository } from '../../../../src/shapes/repository.ts'
import { at, post } from '../../api/client.ts'
import { queries } from '../../api/queries.ts'
import { startRun } from '../../api/runs.ts'
import { Page } from '../../app/Page.tsx'
import { useSession } from '../../app/session.ts'
import { Asked } from '../../ui/Asked.tsx'
import { Button } from '../../ui/Button.tsx'
import { Dialog } from '../../ui/Dialog.tsx'
import { Empty } from '../../ui/Note.tsx'
import { Ago } from '../../ui/Time.tsx'
import { act } from '../../ui/toasts.tsx'
import { RepositoryCard } from '../overview/RepositoryCard.tsx'
import { NewRepository } from './NewRepository.tsx'
import { WaitingKit } from './RecoveryKit.tsx'

export function RepositoriesPage() {
  const { may } = useSession()
  const client = useQueryClient()
  const query = useQuery(queries.repositories)
  const { data: waitingKits = [] } = useQuery({
    ...queries.overview,
    select: (overview) => overview.waitingKits,
  })
  const [adding, setAdding] = useState(false)
  const add = may('administer') && (
    <Button kind="primary" icon={<Plus />} onClick={() => setAdding(true)}>
      Add a repository
    </Button>
  )
  return (
    <Page
      title="Repositories"
      about="Where backups lie: encrypted before they are written, each piece stored once. Every backup goes into all of them."
      actions={add}
    >
      <Asked query={query} what="the repositories">
        {(repositories) =>
          repositories.length === 0 ? (
            <Empty icon={<HardDrive aria-hidden="true" />} title="No repository yet" action={add}>
              A directory will do to begin with. A second one elsewhere, in a bucket or on another machine, is what
              helps when this machine is gone.
            </Empty>
          ) : (
            <div className="stack">
              {may('administer') && !adding && waitingKits.map((name) => <WaitingKit key={name} repository={name} />)}
              {repositories.map((repository) => (
                <div key={repository.name} className="repository-row">
                  <RepositoryCard repository={repository} />
                  {may('operate') && <Keys repository={repository} />}
                </div>
              ))}
              <p className="small quiet">
                Without a key that reads, nobody can restore. Keys are added and taken away by <code>pgrevive key</code>
                , where they lie: none ever passes through this page, but the recovery kit when a repository is made.
              </p>
            </div>
          )
        }
      </Asked>
      <Dialog open={adding} onClose={() => setAdding(false)} title="Add a repository">
        <NewRepository
          done={() => {
            setAdding(false)
            void client.invalidateQueries()
          }}
        />
      </Dialog>
    </Page>
  )
}

function Keys({ repository }: { repository: Repository }) {
  const { may } = useSession()
  const navigate = useNavigate()
  const client = useQueryClient()
  const query = useQuery({ ...queries.keys(repository.name), enabled: may('administer') })
  const look = () =>
    act(() => post(at`repositories/${repository.name}/look`), 'It is being looked at.').then(() =>
      client.invalidateQueries({ queryKey: ['repositories'] }),
    )
  return (
    <section className="card pad stack" aria-label={`${repository.name}: keys and checks`}>
      <div className="section-head flush">
        <h2>{may('administer') ? 'Keys' : 'Look and check'}</h2>
        {may('operate') && (
          <>
            <Button slim icon={<RefreshCw />} onClick={() => void look()}>
              Look again
            </Button>
            <Button
              slim
              icon={<ShieldCheck />}
              onClick={() =>
                void startRun({ command: 'check', repositories: [repository.name], level: 'bits' }, navigate)
              }
            >
              Check every byte
            </Button>
          </>
        )}
      </div>
      {may('administer') && (
        <Asked query={query} what="its keys">
          {(keys) => (
            <div className="table-scroll" tabIndex={0} role="region" aria-label="Keys">
              <table className="table">
                <thead>
                  <tr>
                    <th>Name</th>
                    <th>May</th>
                    <th>Kind</th>
                    <th>Since</th>
                  </tr>
                </thead>
                <tbody>
                  {keys.map((key) => (
                    <tr key={key.id}>
                      <td className="strong">{key.name}</td>
                      <td>{key.access === 'read' ? 'read and write' : 'write only'}</td>
                      <td className="quiet">{key.kind}</td>
                      <td>{key.createdAt === null ? '–' : <Ago at={key.createdAt} />}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
        </Asked>
      )}
    </section>
  )
}
