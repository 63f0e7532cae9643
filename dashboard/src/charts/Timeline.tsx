import { Maximize2, ZoomIn, ZoomOut } from 'lucide-react'
import { useEffect, useId, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent } from 'react'
import type { Backup } from '../../../src/shapes/database.ts'
import { exact, size } from '../text/format.ts'
import { Button } from '../ui/Button.tsx'
import { useWidth } from './use-width.ts'
import { pan, reveal, ticks, whole, zoom, type View } from './timeline-view.ts'

const height = 132
const ground = 104

/** A bar a backup, as high as it is large; filled if proven, hollow if not, broken if refuted. Wheel, drag, keys and buttons move it. */
export function Timeline({
  backups,
  selected,
  onSelect,
  label,
}: {
  backups: Backup[]
  selected: string | undefined
  onSelect: (id: string) => void
  label: string
}) {
  const id = useId()
  const sorted = useMemo(() => backups.toSorted((a, b) => a.snapshotAt.localeCompare(b.snapshotAt)), [backups])
  const bounds = useMemo(() => whole(sorted.map((backup) => Date.parse(backup.snapshotAt))), [sorted])
  const [chosenView, setView] = useState<View | null>(null)
  const view = chosenView ?? bounds
  const [frame, width] = useWidth()
  const drag = useRef<{ x: number; view: View; moved: boolean } | null>(null)

  const x = (time: number) => ((time - view.from) / (view.to - view.from)) * width
  const timeAt = (left: number) => view.from + (left / width) * (view.to - view.from)
  const largest = Math.max(...sorted.map((backup) => backup.bytes), 1)
  const scale = (factor: number, around = (view.from + view.to) / 2) => setView(zoom(view, factor, around, bounds))

  // React listens to wheels passively; this one must keep the page where it is.
  const wheel = useRef<(event: WheelEvent) => void>(() => {})
  useEffect(() => {
    wheel.current = (event) => {
      event.preventDefault()
      const left = event.clientX - (frame.current?.getBoundingClientRect().left ?? 0)
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        setView(pan(view, ((event.deltaX || event.deltaY) / width) * (view.to - view.from), bounds))
      } else scale(Math.exp(event.deltaY * 0.0015), timeAt(left))
    }
  })
  useEffect(() => {
    const element = frame.current
    const listen = (event: WheelEvent) => wheel.current(event)
    element?.addEventListener('wheel', listen, { passive: false })
    return () => element?.removeEventListener('wheel', listen)
  }, [frame])

  const index = sorted.findIndex((backup) => backup.id === selected)
  const choose = (at: number) => {
    const backup = sorted[Math.min(sorted.length - 1, Math.max(0, at))]
    if (!backup) return
    onSelect(backup.id)
    setView(reveal(view, Date.parse(backup.snapshotAt), bounds))
  }
  const keys: Record<string, () => void> = {
    ArrowLeft: () => choose(index - 1),
    ArrowRight: () => choose(index + 1),
    Home: () => choose(0),
    End: () => choose(sorted.length - 1),
    '+': () => scale(0.6, index < 0 ? undefined : Date.parse(sorted[index]?.snapshotAt ?? '')),
    '-': () => scale(1 / 0.6),
    '0': () => setView(null),
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const does = keys[event.key === '=' ? '+' : event.key]
    if (!does || event.ctrlKey || event.metaKey) return
    event.preventDefault()
    does()
  }
  const onPointerMove = (event: PointerEvent) => {
    if (!drag.current) return
    const by = event.clientX - drag.current.x
    if (Math.abs(by) < 4 && !drag.current.moved) return
    drag.current.moved = true
    setView(pan(drag.current.view, (-by / width) * (view.to - view.from), bounds))
  }
  const onPointerUp = (event: PointerEvent) => {
    const wasMoved = drag.current?.moved
    drag.current = null
    if (wasMoved) return
    const left = event.clientX - (frame.current?.getBoundingClientRect().left ?? 0)
    const nearest = sorted.reduce<Backup | undefined>(
      (best, backup) =>
        !best || Math.abs(x(Date.parse(backup.snapshotAt)) - left) < Math.abs(x(Date.parse(best.snapshotAt)) - left)
          ? backup
          : best,
      undefined,
    )
    if (nearest) onSelect(nearest.id)
  }

  const thick = Math.max(3, Math.min(14, closest(sorted.map((backup) => x(Date.parse(backup.snapshotAt)))) * 0.62))
  return (
    <div className="timeline">
      <div className="timeline-buttons">
        <Button slim kind="ghost" icon={<ZoomIn />} label="Zoom in" onClick={() => scale(0.6)} />
        <Button slim kind="ghost" icon={<ZoomOut />} label="Zoom out" onClick={() => scale(1 / 0.6)} />
        <Button slim kind="ghost" icon={<Maximize2 />} label="All of it" onClick={() => setView(null)} />
      </div>
      <div
        ref={frame}
        className="timeline-frame"
        role="listbox"
        aria-label={label}
        aria-orientation="horizontal"
        aria-activedescendant={index < 0 ? undefined : `${id}-${index}`}
        tabIndex={0}
        onKeyDown={onKeyDown}
        onPointerDown={(event) => {
          drag.current = { x: event.clientX, view, moved: false }
        }}
        onPointerMove={onPointerMove}
        onPointerUp={onPointerUp}
        onPointerLeave={() => {
          drag.current = null
        }}
      >
        <svg viewBox={`0 0 ${width} ${height}`} width={width} height={height} role="none">
          <g aria-hidden="true">
            {ticks(view, Math.max(2, width / 90)).map((tick) => (
              <g key={tick.at}>
                <path className="tick" d={`M${x(tick.at)} 8V${ground}`} />
                <text x={Math.min(width - 22, Math.max(22, x(tick.at)))} y={height - 8} textAnchor="middle">
                  {tick.text}
                </text>
              </g>
            ))}
            <path className="axis" d={`M0 ${ground + 0.5}H${width}`} />
          </g>
          {sorted.map((backup, at) => {
            const middle = x(Date.parse(backup.snapshotAt))
            if (middle < -20 || middle > width + 20) return null
            const high = Math.max(6, (backup.bytes / largest) * (ground - 26))
            const outcome = backup.proof?.outcome ?? 'unproven'
            return (
              <g
                key={backup.id}
                id={`${id}-${at}`}
                role="option"
                aria-selected={backup.id === selected}
                aria-label={`${exact(backup.snapshotAt)}, ${size(backup.bytes)}, ${outcome}`}
                className={`point ${outcome} ${backup.id === selected ? 'selected' : ''}`}
              >
                <title>{`${exact(backup.snapshotAt)} · ${size(backup.bytes)} · ${outcome}${backup.pin ? ` · pinned: ${backup.pin.reason}` : ''}`}</title>
                {backup.id === selected && (
                  <rect className="halo" x={middle - thick / 2 - 4} y={4} width={thick + 8} height={ground} rx="5" />
                )}
                <rect
                  className="bar"
                  x={middle - thick / 2}
                  y={ground - high}
                  width={thick}
                  height={high}
                  rx={Math.min(2.5, thick / 3)}
                />
                {outcome === 'refuted' && (
                  <path className="crack" d={`M${middle - thick / 2 - 1} ${ground - high / 2 + 3}l${thick + 2} -6`} />
                )}
                {backup.pin && <path className="pin" d={`M${middle} ${ground - high - 4}v-10l7 3-7 3`} />}
              </g>
            )
          })}
        </svg>
      </div>
    </div>
  )
}

/** How far neighbours are apart, but for the few closest. */
function closest(places: number[]): number {
  const gaps = places.slice(1).map((place, index) => place - (places[index] ?? 0))
  return gaps.toSorted((a, b) => a - b)[Math.floor(gaps.length * 0.2)] ?? 100
}
