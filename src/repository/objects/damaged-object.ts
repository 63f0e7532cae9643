import { AppError, messageOf } from '../../core/app-error.ts'

/** `object-damaged` for the object `key`, whatever it was that could not make sense of its bytes. */
export function damagedObject(key: string, cause: unknown): AppError {
  return new AppError('object-damaged', `${key} is damaged: ${messageOf(cause)}`, {
    cause,
    hint: 'run "pgrevive check" to see which backups are touched',
  })
}
