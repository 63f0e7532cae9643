import { Dialog } from '../ui/Dialog.tsx'
import { places } from './navigation.ts'

const general: [string[], string][] = [
  [['?'], 'this list'],
  [['Ctrl', 'K'], 'go to a page or database, or do something'],
  [['/'], 'the same'],
  [['Tab'], 'to the next thing; with Shift to the one before'],
  [['Esc'], 'close what is open'],
]
const timeline: [string[], string][] = [
  [['←', '→'], 'the backup before, the next one'],
  [['+', '−'], 'zoom in, zoom out'],
  [['0'], 'all of it'],
  [['Home', 'End'], 'the oldest, the newest'],
]

export function KeysHelp({ open, onClose }: { open: boolean; onClose: () => void }) {
  return (
    <Dialog open={open} onClose={onClose} title="Keys">
      <div className="columns">
        <Keys title="Everywhere" keys={general} />
        <Keys title="On a timeline" keys={timeline} />
        <Keys
          title="Go to"
          keys={places.flatMap((group) => group.places).map((place) => [['g', place.key], place.text])}
        />
      </div>
    </Dialog>
  )
}

function Keys({ title, keys }: { title: string; keys: [string[], string][] }) {
  return (
    <section className="stack tight">
      <h3>{title}</h3>
      <dl className="keys">
        {keys.map(([names, text]) => (
          <div key={names.join(' ')}>
            <dt>
              {names.map((name) => (
                <kbd key={name}>{name}</kbd>
              ))}
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </section>
  )
}
