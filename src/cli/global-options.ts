import { z } from 'zod'
import type { CommandOption } from './define-command.ts'
import { flag, flagOn, moment, texts } from './option-types.ts'
import { text, transferRate } from '../config/value-types.ts'

/** Options that stand before or after any command. */
export const globalOptionWords: readonly CommandOption[] = [
  {
    flags: '--repo <PLACE>',
    help: 'the repository: a directory, the URL of a store, such as s3://bucket/prefix?…, or a name from pgrevive.yaml; may be repeated (PGREVIVE_REPO, or "repository:" or "repositories:" in pgrevive.yaml)',
    repeatable: true,
  },
  {
    flags: '--key-file <FILE>',
    help: 'an age identity that opens it; may be repeated, for several repositories (PGREVIVE_KEY_FILE, or "key_file:")',
    repeatable: true,
  },
  {
    flags: '--server <URL>',
    help: 'ask a service, https://pgrevive.example, instead of working here; with PGREVIVE_TOKEN (PGREVIVE_SERVER)',
  },
  { flags: '--config <FILE>', help: 'configuration (PGREVIVE_CONFIG; default: ./pgrevive.yaml when it exists)' },
  {
    flags: '--environment-file <FILE>',
    help: 'variables that count more than those of the environment: NAME=value lines, in which nothing is expanded; one pair of quotes around a value is dropped',
  },
  {
    flags: '--limit-upload <RATE>',
    help: 'bytes per second to stores, on average, such as 10MB (PGREVIVE_LIMIT_UPLOAD, or "limit_upload:")',
  },
  { flags: '--limit-download <RATE>', help: '… from stores (PGREVIVE_LIMIT_DOWNLOAD, or "limit_download:")' },
  {
    flags: '--as-of <TIME>',
    help: 'read the repository as it was then, in a bucket that keeps versions: 2026-11-22T08:00:00Z',
  },
  {
    flags: '--no-overlap',
    help: 'end at once, with exit code 14, while the same command with the same options runs on this machine; for schedules',
  },
  { flags: '--json', help: 'print one JSON document on stdout, also when the command fails' },
  { flags: '--quiet', help: 'no progress and no remarks: only the result, warnings and errors' },
  { flags: '--verbose', help: 'also what hooks print' },
  { flags: '--no-color', help: 'no colours (also NO_COLOR; FORCE_COLOR turns them on)' },
]

export const globalOptions = z.strictObject({
  repo: texts,
  keyFile: texts,
  server: text.optional(),
  config: text.optional(),
  environmentFile: text.optional(),
  limitUpload: transferRate.optional(),
  limitDownload: transferRate.optional(),
  asOf: moment.optional(),
  overlap: flagOn,
  json: flag,
  quiet: flag,
  verbose: flag,
  color: flagOn,
})

export type GlobalOptions = z.output<typeof globalOptions>

/** Every variable that means something to pgrevive, for the help and the reference. */
export const environmentVariables = [
  { name: 'PGREVIVE_REPO', meaning: 'the repository, when --repo is not given' },
  { name: 'PGREVIVE_KEY_FILE', meaning: 'the age identity, when --key-file is not given' },
  { name: 'PGREVIVE_SERVER', meaning: 'the service, when --server is not given' },
  {
    name: 'PGREVIVE_TOKEN, PGREVIVE_TOKEN_FILE',
    meaning: 'the token for that service, or a file whose first line it is; there is no option for it, on purpose',
  },
  { name: 'PGREVIVE_CONFIG', meaning: 'the configuration, when --config is not given' },
  {
    name: 'PGREVIVE_LIMIT_UPLOAD, PGREVIVE_LIMIT_DOWNLOAD',
    meaning: 'bytes per second, when the options are not given',
  },
  {
    name: 'DOCKER_HOST, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH',
    meaning: 'the container engine, if it is none of the usual sockets of Docker and podman',
  },
  {
    name: 'PGREVIVE_SSH_PASSWORD, PGREVIVE_SSH_PASSPHRASE, each also with _FILE',
    meaning:
      'the password of the SSH server of a "tunnel:" or of DOCKER_HOST=ssh://…, the passphrase of a key, or files whose first line they are',
  },
  { name: 'PGREVIVE_PASSPHRASE', meaning: "the repository's passphrase; there is no option for it, on purpose" },
  { name: 'PGREVIVE_PASSPHRASE_FILE', meaning: 'a file whose first line is the passphrase' },
  {
    name: 'PGREVIVE_NEW_PASSPHRASE, PGREVIVE_NEW_PASSPHRASE_FILE',
    meaning: 'the same two for the passphrase that "key add" or "key rotate" is to set',
  },
  {
    name: 'AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_PROFILE, AWS_REGION, …',
    meaning:
      'credentials of s3:// repositories, as the AWS SDK finds them; also in ~/.aws and from the host; of gs:// ones, an HMAC key',
  },
  {
    name: 'PGREVIVE_SFTP_PASSWORD, PGREVIVE_SFTP_PASSPHRASE, …_FILE',
    meaning:
      'the password of sftp:// repositories, the passphrase of their keys, or files whose first line they are; SSH_AUTH_SOCK is asked, too',
  },
  {
    name: 'AZURE_STORAGE_ACCOUNT, AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN, AZURE_STORAGE_CONNECTION_STRING',
    meaning:
      'credentials of azure:// repositories; the last three also with _FILE, for the name of a file that holds it',
  },
  {
    name: 'PGREVIVE_DUMP_PASSPHRASE, PGREVIVE_DUMP_PASSPHRASE_FILE',
    meaning: 'the same two for an encrypted dump that is imported',
  },
  { name: 'NO_COLOR, FORCE_COLOR', meaning: 'never colours, always colours' },
  {
    name: 'PGHOST, PGPORT, PGUSER, PGDATABASE, PGPASSWORD, PGPASSFILE, PGSERVICE, PGSSLMODE, …',
    meaning: "libpq's variables, as psql reads them, for whatever a connection string does not say",
  },
] as const
