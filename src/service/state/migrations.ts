/**
 * The state database, step by step: `user_version` says how many were taken. A step that was released is never changed.
 * Times are ISO 8601 text in UTC with milliseconds, which sorts as time does; JSON is text; booleans are 0 and 1.
 */
export const migrations: readonly string[] = [
  `
  -- One execution of a command. A row is there before anything of it happens, and never removed while it may go on.
  create table run (
    id text primary key,
    command text not null,
    -- JSON: the arguments of pgrevive, which hold no secrets.
    arguments text not null,
    databases text not null,
    repositories text not null,
    -- JSON: what it must have for itself, such as "database shop"; of two runs that share one, the later waits.
    exclusions text not null,
    -- JSON: the servers it reads or writes, as host:port, for at_once_per_server.
    servers text not null,
    schedule text,
    cause text not null,
    requested_by text,
    again_of text references run on delete set null,
    canceled_by text,
    state text not null,
    due_at text,
    created_at text not null,
    started_at text,
    ended_at text,
    -- Of the process, with its start time, since ids are used again.
    pid integer,
    pid_started integer,
    exit_code integer,
    error text,
    backups text not null default '[]',
    warnings integer not null default 0,
    result text
  ) strict;
  create index run_by_state on run (state, id);
  create index run_by_schedule on run (schedule, id) where schedule is not null;
  create unique index run_of_moment on run (schedule, due_at) where again_of is null;
  create index run_by_again on run (again_of) where again_of is not null;
  create index run_by_end on run (ended_at);
  create index run_in_trouble on run (created_at) where state in ('failed', 'missed');

  -- Which databases a run is about, for lists of one database; with its command, for the last backup among many drills.
  create table run_database (
    run text not null references run on delete cascade,
    database text not null,
    command text not null,
    primary key (database, run)
  ) strict, without rowid;
  create index database_by_run on run_database (run);
  create index database_by_command on run_database (database, command, run);

  -- Up to which moment the times of a schedule were dealt with.
  create table schedule_mark (
    schedule text primary key,
    -- Of the entry in pgrevive.yaml: one that was changed begins anew.
    fingerprint text not null,
    seen_until text not null
  ) strict, without rowid;

  -- What the repositories hold, as they were last listed; they are the truth.
  create table backup (
    id text not null,
    repository text not null,
    database text not null,
    started_at text not null,
    finished_at text not null,
    snapshot_at text not null,
    committed_at text not null,
    tables integer not null,
    rows integer not null,
    bytes integer not null,
    stored integer not null,
    -- A whole one leaves nothing out.
    whole integer not null,
    proof text,
    proof_at text,
    proof_ms integer,
    pinned integer not null,
    -- JSON: a Backup as src/shapes has it, as if it lay here only.
    document text not null,
    primary key (database, snapshot_at, id, repository)
  ) strict, without rowid;
  create index backup_by_id on backup (id);

  create table repository (
    name text primary key,
    looked_at text,
    reachable integer,
    error text,
    backups integer not null default 0,
    bytes integer,
    stored integer,
    -- Of the packs, and of what they hold before compression, each chunk once.
    packed integer,
    unique_bytes integer,
    last_check text
  ) strict, without rowid;

  create table repository_growth (
    repository text not null,
    date text not null,
    stored integer not null,
    primary key (repository, date)
  ) strict, without rowid;

  -- Databases that were found on a server of pgrevive.yaml.
  create table discovered_database (
    server text not null,
    name text not null,
    first_seen_at text not null,
    last_seen_at text not null,
    gone_at text,
    primary key (server, name)
  ) strict, without rowid;

  -- One trouble from its beginning to its end; at most one of a subject is open.
  create table alert (
    id text primary key,
    kind text not null,
    severity text not null,
    subject text not null,
    title text not null,
    text text not null,
    remedy text,
    run text,
    opened_at text not null,
    told_at text,
    closed_at text,
    acknowledged_by text
  ) strict;
  create unique index alert_open on alert (kind, subject) where closed_at is null;
  create index alert_by_time on alert (opened_at);

  -- What is to be told, and what was: written with the alert in one transaction, so that nothing is told twice or never.
  create table delivery (
    id text primary key,
    alert text not null references alert on delete cascade,
    channel text not null,
    notice text not null,
    -- Of the alert, when it was to be told.
    severity text not null,
    state text not null,
    attempts integer not null default 0,
    not_before text not null,
    at text not null,
    error text
  ) strict;
  create index delivery_waiting on delivery (not_before) where state = 'waiting';
  create index delivery_of_alert on delivery (alert);

  -- Accounts: as better-auth wants them (its getMigrations() says so), which reads and writes them.
  create table user (
    id text primary key,
    name text not null,
    email text not null unique,
    emailVerified integer not null,
    image text,
    createdAt text not null,
    updatedAt text not null,
    twoFactorEnabled integer,
    role text not null,
    disabled integer not null default 0,
    -- The identity provider gave no role when it was asked last: until it does, sessions and tokens count for nothing.
    roleWithdrawn integer not null default 0,
    lastSeenAt text
  ) strict;
  create table session (
    id text primary key,
    expiresAt text not null,
    token text not null unique,
    createdAt text not null,
    updatedAt text not null,
    ipAddress text,
    userAgent text,
    userId text not null references user on delete cascade
  ) strict;
  create index session_by_user on session (userId);
  create table account (
    id text primary key,
    accountId text not null,
    providerId text not null,
    userId text not null references user on delete cascade,
    accessToken text,
    refreshToken text,
    idToken text,
    accessTokenExpiresAt text,
    refreshTokenExpiresAt text,
    scope text,
    password text,
    createdAt text not null,
    updatedAt text not null
  ) strict;
  create index account_by_user on account (userId);
  create table verification (
    id text primary key,
    identifier text not null,
    value text not null,
    expiresAt text not null,
    createdAt text not null,
    updatedAt text not null
  ) strict;
  create index verification_by_identifier on verification (identifier);
  create table twoFactor (
    id text primary key,
    secret text not null,
    backupCodes text not null,
    userId text not null references user on delete cascade,
    verified integer,
    failedVerificationCount integer,
    lockedUntil text
  ) strict;
  create index two_factor_by_user on twoFactor (userId);

  -- A link that sets the password of an account, once.
  create table invitation (
    -- SHA-256 of what the link says, which is random.
    hash blob primary key,
    user text not null references user on delete cascade,
    expires_at text not null
  ) strict;

  -- Tries at signing in, of an account, from an address: too many, and the next ones wait. Codes that were used, too.
  create table attempt (
    key text primary key,
    count integer not null,
    until text not null
  ) strict, without rowid;

  create table token (
    id text primary key,
    name text not null,
    -- SHA-256 of the secret, which is random.
    hash blob not null unique,
    scopes text not null,
    created_by text not null references user on delete cascade,
    created_at text not null,
    expires_at text,
    last_used_at text
  ) strict;

  create table audit (
    id text primary key,
    at text not null,
    by text,
    address text,
    act text not null,
    subject text,
    outcome text not null,
    detail text
  ) strict;

  -- Small facts of the service itself: the secret that sessions are signed with, the one-time link.
  create table fact (
    name text primary key,
    value text not null
  ) strict, without rowid;
  `,
]
