import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Megaphone, Pencil, Plus, Send, Trash2 } from 'lucide-react'
import { useState } from 'react'
import type { Channel, ChannelTest } from '../../../../src/shapes/alert.ts'
import { at, post, remove } from '../../api/client.ts'
import { queries } from '../../api/queries.ts'
import { useSession } from '../../app/session.ts'
import { duration } from '../../text/format.ts'
import { Asked } from '../../ui/Asked.tsx'
import { Button } from '../../ui/Button.tsx'
import { Confirm } from '../../ui/Confirm.tsx'
import { Dialog } from '../../ui/Dialog.tsx'
import { ObjectiveMark } from '../../ui/Marks.tsx'
import { Empty, Note } from '../../ui/Note.tsx'
import { Ago } from '../../ui/Time.tsx'
import { useAct } from '../../ui/use-act.ts'
import { Waiting } from '../../ui/Waiting.tsx'
import { ChannelForm } from './ChannelForm.tsx'

export function Channels() {
  const { may } = useSession()
  const client = useQueryClient()
  const query = useQuery(queries.channels)
  const [editing, setEditing] = useState<Channel | 'new' | null>(null)
  const [removing, setRemoving] = useState<Channel | null>(null)
  const again = () => client.invalidateQueries({ queryKey: queries.channels.queryKey })
  const add = may('administer') && (
    <Button kind="primary" icon={<Plus />} onClick={() => setEditing('new')}>
      New channel
    </Button>
  )
  return (
    <div className="stack">
      <Asked query={query} what="the channels">
        {(channels) =>
          channels.length === 0 ? (
            <Empty icon={<Megaphone aria-hidden="true" />} title="Nobody is told yet" action={add}>
              Alerts show up here; but who looks here when all seems well? Add where people are: e-mail, Slack, Discord,
              Telegram, ntfy, PagerDuty, or a webhook.
            </Empty>
          ) : (
            <>
              <div className="columns">
                {channels.map((channel) => (
                  <ChannelCard
                    key={channel.name}
                    channel={channel}
                    edit={() => setEditing(channel)}
                    drop={() => setRemoving(channel)}
                  />
                ))}
              </div>
              <div>{add}</div>
            </>
          )
        }
      </Asked>
      <Dialog
        open={editing !== null}
        onClose={() => setEditing(null)}
        title={editing === 'new' ? 'New channel' : `Channel “${editing?.name ?? ''}”`}
      >
        {editing && (
          <ChannelForm
            channel={editing === 'new' ? null : editing}
            taken={query.data?.map((channel) => channel.name) ?? []}
            done={() => {
              setEditing(null)
              void again()
            }}
          />
        )}
      </Dialog>
      <Confirm
        open={removing !== null}
        onClose={() => setRemoving(null)}
        title={`Remove the channel “${removing?.name ?? ''}”?`}
        verb="Remove"
        act={async () => {
          if (removing) await remove(at`channels/${removing.name}`)
          await again()
        }}
      >
        <p>Nothing is told there any more.</p>
      </Confirm>
    </div>
  )
}

function ChannelCard({ channel, edit, drop }: { channel: Channel; edit: () => void; drop: () => void }) {
  const { may } = useSession()
  const [result, setResult] = useState<ChannelTest | null>(null)
  const test = useAct(() => post<ChannelTest>(at`channels/${channel.name}/test`), setResult)
  return (
    <article className="card pad stack tight">
      <div className="row">
        <h2>{channel.name}</h2>
        <span className="chip">{channel.kind}</span>
      </div>
      <p className="break">{channel.target}</p>
      <p className="small quiet">
        {channel.least === 'info' ? 'everything' : `${channel.least} and worse`}
        {channel.quiet !== null && ` · quiet ${channel.quiet}`}
      </p>
      {channel.lastDelivery && (
        <p className="small with-mark">
          <ObjectiveMark state={channel.lastDelivery.ok ? 'ok' : 'failing'} />
          <span>
            last told <Ago at={channel.lastDelivery.at} />
            {channel.lastDelivery.error !== null && <span className="tone-bad">: {channel.lastDelivery.error}</span>}
          </span>
        </p>
      )}
      {test.busy && <Waiting what="Sending" />}
      {(result ?? test.error) && (
        <div role="status">
          {result?.ok ? (
            <Note tone="ok">It was taken, in {duration(result.tookMs)}. Look whether it has arrived.</Note>
          ) : (
            <Note tone="bad">
              <p className="strong">It was not delivered.</p>
              <p className="hint">{result?.error ?? test.error?.message}</p>
            </Note>
          )}
        </div>
      )}
      {may('administer') && (
        <div className="row">
          <Button slim icon={<Send />} disabled={test.busy} onClick={() => void test.go()}>
            Send a test
          </Button>
          <Button slim icon={<Pencil />} onClick={edit}>
            Replace
          </Button>
          <Button slim icon={<Trash2 />} label={`Remove ${channel.name}`} onClick={drop} />
        </div>
      )}
    </article>
  )
}
