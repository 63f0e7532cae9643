#!/usr/bin/env python3
"""Restores backups of pgrevive without pgrevive. RESTORE.md, beside this file, tells how, and what the format is.

Needs Python 3.9 or later with the packages "cryptography" and "zstandard", and the command "age" (age-encryption.org).
"""
import argparse, base64, datetime, functools, glob, hashlib, hmac, json, os, re, secrets, sqlite3, struct
import subprocess, sys, tempfile

try:
    import zstandard
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF
except ImportError as missing:
    sys.exit(f'restore.py: {missing}; RESTORE.md tells how to install what it needs')


class Damage(Exception):
    """Something in the repository is not what was written; the text says what."""


def say(text):
    print(f'restore.py: {text}', file=sys.stderr)


def stop(text):
    say(text)
    sys.exit(1)


# ------------------------------------------------------------------------------------------------ the repository


def open_age(file, identity=None, quiet=False):
    """What an age file holds, or None. The identity goes through a pipe; without one, age asks for a passphrase."""
    with tempfile.NamedTemporaryFile() as wrapped:
        wrapped.write(file)
        wrapped.flush()
        by = [] if identity is None else ['--identity', '-']
        try:
            run = subprocess.run(['age', '--decrypt', *by, wrapped.name], input=identity, stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL if quiet else None)
        except FileNotFoundError:
            stop('the command "age" is not installed: see https://age-encryption.org')
        return run.stdout if run.returncode == 0 else None


def unseal(key, aad, sealed):
    try:
        return AESGCM(key).decrypt(sealed[:12], sealed[12:], aad)
    except (InvalidTag, ValueError):
        raise Damage('is not what was written') from None


def unzstd(data, most=256 << 20):
    try:
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=most)
    except zstandard.ZstdError as error:
        raise Damage(f'can not be unpacked: {error}') from None


class Repository:
    def __init__(self, path, identity_file, ask_passphrase):
        self.path = path
        key_file = open(identity_file, encoding='utf-8').read() if identity_file else ''
        configs = [config for config in map(self.read_config, ('config', 'config.bak')) if config]
        pinned = re.search(r'^# *pgrevive-writer-key: *(\S+) +(\S+)', key_file, re.M)
        if pinned and any(config.get('id') != pinned[1] for config in configs):
            stop('the key belongs to another repository')
        self.identity = key_file.encode()
        if ask_passphrase:
            wrapped = [config['passphrase'] for config in configs if 'passphrase' in config]
            self.identity = open_age(wrapped[0].encode()) if wrapped else stop('the repository has no passphrase')
        elif not re.search('^(AGE-|-----BEGIN)', key_file, re.M):
            stop(f'{identity_file} holds no identity (AGE-SECRET-KEY-…): it writes backups and does not read them')
        # a key file may hold the repository's secret; then nothing depends on config
        found = [base64.b64decode(pinned[2])] if pinned else (
            open_age(config['secret'].encode(), self.identity) for config in configs)
        secret = next((secret for secret in found if secret), None) or stop('the key does not open the repository')
        self.id_key = HKDF(SHA256(), 32, b'', b'pgrevive/1/chunk-id').derive(secret)
        self.meta_key = HKDF(SHA256(), 32, b'', b'pgrevive/1/metadata').derive(secret)
        self.data_key = functools.lru_cache(None)(self.open_data_key)
        self.given = self.handed_over()
        self.load_packs()

    def open_data_key(self, wrapped):
        given = self.given.get(hashlib.sha256(wrapped).hexdigest())
        return given or open_age(wrapped, self.identity) or stop('the key does not open the data')

    def handed_over(self):
        """Data keys that were wrapped again for keys that came later, by the SHA-256 of what packs hold."""
        given = {}
        for key in self.objects('keys/*'):
            try:
                body = json.loads(self.sealed('key', key))['body']
            except Damage as damage:
                say(f'warning: {damage}')
                continue
            opened = open_age(base64.b64decode(body['file']), self.identity, quiet=True) or b''
            given.update({name: opened[at * 32:at * 32 + 32] for at, name in enumerate(body['dataKeys']) if opened})
        return given

    def path_of(self, key):
        return os.path.join(self.path, key)

    def bytes_of(self, key):
        with open(self.path_of(key), 'rb') as file:
            return file.read()

    def objects(self, pattern):
        found = glob.glob(os.path.join(glob.escape(self.path), pattern))
        return sorted(os.path.relpath(path, self.path).replace(os.sep, '/') for path in found)

    def read_config(self, key):
        try:
            return json.loads(self.bytes_of(key))
        except (OSError, ValueError):
            say(f'warning: {key} can not be read')

    def sealed(self, kind, key):
        """The content of an object that is named by a ULID."""
        try:
            return unzstd(unseal(self.meta_key, f'{kind}1/{os.path.basename(key)}'.encode(), self.bytes_of(key)))
        except (Damage, OSError) as error:
            raise Damage(f'{key} {error}') from None

    def load_packs(self):
        """Notes where every chunk lies, as the packs themselves say; on disk, since there may be millions."""
        self.packs, self.blobs = [], sqlite3.connect('')
        self.blobs.execute('CREATE TABLE blob (id BLOB, pack INT, offset INT, stored INT, raw INT, key INT)')
        unread = set()
        for pack in self.objects('packs/??/*') + self.objects('meta/??/*'):
            try:
                self.add_pack(pack, self.read_directory(pack))
            except (Damage, OSError) as error:
                unread.add(pack)
                say(f'warning: {pack} {error}')
        for key in self.objects('index/*') if unread else []:  # repeats what packs say
            try:
                self.add_from_index(self.sealed('index', key), unread)
            except Damage as damage:
                say(f'warning: {damage}')
        self.blobs.execute('CREATE INDEX by_id ON blob (id)')

    def read_directory(self, pack):
        with open(self.path_of(pack), 'rb') as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 12))
            tail = file.read()
            length = struct.unpack('<I', tail[:4])[0] if tail[4:] == b'PGPK0001' else size
            if length + 12 > size:
                raise Damage('does not end as a pack does')
            file.seek(size - 12 - length)
            return unseal(self.meta_key, b'd1', file.read(length))

    def add_pack(self, pack, directory):
        keys, at, offset = [], 1, 0
        for _ in range(directory[0]):
            end = at + 2 + struct.unpack_from('<H', directory, at)[0]
            keys.append(directory[at + 2:end])
            at = end
        count, = struct.unpack_from('<I', directory, at)
        for id, key, stored, raw in struct.iter_unpack('<16sBII', directory[at + 4:at + 4 + 25 * count]):
            self.blobs.execute('INSERT INTO blob VALUES (?, ?, ?, ?, ?, ?)', (id, len(self.packs), offset, stored, raw, key))
            offset += stored
        self.packs.append((pack, keys))

    def add_from_index(self, index, wanted):
        at = 4
        for _ in range(struct.unpack_from('<I', index)[0]):
            sha256, kind, _, length = struct.unpack_from('<32sBII', index, at)
            pack = f'{("packs", "meta")[kind]}/{sha256.hex()[:2]}/{sha256.hex()}'
            if pack in wanted:
                wanted.remove(pack)
                self.add_pack(pack, index[at + 41:at + 41 + length])
            at += 41 + length

    def chunk(self, id):
        """One chunk, from whichever copy of it is whole."""
        problem = Damage(f'chunk {id.hex()} lies in no pack')
        copies = self.blobs.execute('SELECT pack, offset, stored, raw, key FROM blob WHERE id = ?', (id,))
        for number, offset, stored, raw, key in copies.fetchall():
            pack, keys = self.packs[number]
            try:
                with open(self.path_of(pack), 'rb') as file:
                    file.seek(offset)
                    blob = file.read(stored)
                plain = unseal(self.meta_key if key == 255 else self.data_key(keys[key]), b'b1' + id, blob)
                chunk = plain[1:] if plain[0] == 0 else unzstd(plain[1:], raw)
                if len(chunk) == raw and hmac.digest(self.id_key, chunk, 'sha256')[:16] == id:
                    return chunk
                problem = Damage(f'{pack} holds another chunk than it says, at byte {offset}')
            except (Damage, OSError) as error:
                problem = Damage(f'{pack} {error}, at byte {offset}')
        raise problem

    def read(self, stream):
        """The chunks of a stream in order; in the place of what is lost, a Damage."""
        size, whole = 0, True
        for list_id in stream['lists']:
            try:
                ids = self.chunk(bytes.fromhex(list_id))
            except Damage as damage:
                ids, whole = b'', False
                yield damage
            for at in range(0, len(ids), 16):
                try:
                    chunk = self.chunk(ids[at:at + 16])
                    size += len(chunk)
                except Damage as damage:
                    chunk, whole = damage, False
                yield chunk
        if whole and size != stream['bytes']:
            yield Damage(f'a stream has {size} bytes where its backup says {stream["bytes"]}')

    def text(self, stream):
        pieces = list(self.read(stream))
        for damage in pieces:
            if isinstance(damage, Damage):
                raise damage
        return b''.join(pieces)

    def rows(self, stream):
        """COPY text in pieces of whole lines; in the place of lines that are lost, a Damage."""
        begun, broken = [], False
        for piece in self.read(stream):
            if isinstance(piece, Damage):
                begun, broken = [], True
                yield piece
                continue
            if broken:  # until the line ends that began in what is lost
                start = piece.find(b'\n') + 1
                broken, piece = start == 0, piece[start:] if start else b''
            end = piece.rfind(b'\n') + 1
            if end:
                yield b''.join(begun) + piece[:end]
                begun = []
            begun.append(piece[end:])
        if any(begun):
            yield Damage('a table ends within a row')

    def backups(self):
        """Ids and records, oldest first; None for a record that is damaged."""
        found = []
        for key in self.objects('records/*'):
            try:
                body = json.loads(self.sealed('record', key))['body']
            except Damage as damage:
                body = say(f'warning: {damage}')
            found.append((os.path.basename(key), body))
        return sorted(found, key=lambda it: moment(*it))

    def manifest(self, wanted):
        found = [(id, body) for id, body in self.backups() if wanted == 'latest' or id.startswith(wanted.upper())]
        if not found or (len(found) > 1 and wanted != 'latest'):
            stop(f'{len(found)} backups begin with {wanted}: "list" shows all')
        id, body = found[-1]
        if body is None:
            stop(f'the record of backup {id} is damaged: name another')
        try:
            return id, json.loads(self.text(body['manifest']))
        except Damage as damage:
            stop(f'the manifest of backup {id} is lost: {damage}')


def moment(id, body):
    """Seconds since 1970: the time of the ULID, or that of an imported dump."""
    if body and body.get('imported'):
        return datetime.datetime.fromisoformat(body['snapshot']['at'].replace('Z', '+00:00')).timestamp()
    return functools.reduce(lambda time, digit: time * 32 + ULID_DIGITS.index(digit), id[:10], 0) / 1000


ULID_DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'


# ------------------------------------------------------------------------------------------------- SQL for psql

SETTINGS = """\\set ON_ERROR_STOP on
SET standard_conforming_strings = on; SET client_min_messages = warning; SET search_path = '';
SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0;
SET row_security = off; SET default_transaction_read_only = off; SET check_function_bodies = off;
SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; SET lc_monetary = 'C';
SET xmloption = 'content'; SET array_nulls = on; SET synchronous_commit = off;"""
NAME_LISTS = ('local_preload_libraries', 'search_path', 'session_preload_libraries', 'shared_preload_libraries',
              'temp_tablespaces', 'unix_socket_directories')
IS_16 = "pg_catalog.current_setting('server_version_num')::int >= 160000"
IS_15 = "pg_catalog.current_setting('server_version_num')::int >= 150000"


def quote(text, mark):
    """A name or a literal in one line of ASCII: it means the same under every encoding, and can not end a line."""
    text = text.replace(mark, mark * 2)
    if re.fullmatch(f'{quote.plain}*', text):
        return mark + text + mark
    escape = lambda c: c if re.match(quote.plain, c) and c != '\\' else f'\\+{ord(c):06x}'
    return f'U&{mark}{"".join(map(escape, text))}{mark}'


quote.plain = '[ -~]'


def literal(text):
    return quote(text, "'")


def name(*parts):
    return '.'.join(quote(part, '"') for part in parts)


def regclass(item):
    return literal('.'.join('"' + item[part].replace('"', '""') + '"' for part in ('schema', 'name')))


def unless(catalog, column, item, statement):
    """Runs a statement if the catalog has no such item."""
    return f'SELECT {statement} WHERE NOT EXISTS (SELECT FROM pg_catalog.{catalog} WHERE {column} = {literal(item)}) \\gexec'


def grants(thing, owner, entries):
    if entries is None:
        return
    yield f'REVOKE ALL ON {thing} FROM PUBLIC, {name(owner)};'
    for entry in entries:
        grantee = 'PUBLIC' if entry['grantee'] is None else name(entry['grantee'])
        yield f'GRANT {entry["privilege"]} ON {thing} TO {grantee}{" WITH GRANT OPTION" if entry["grantable"] else ""};'


def setting(entry):
    values = [entry['value']]
    if entry['name'].lower() in NAME_LISTS:
        found = re.findall(r'\s*(?:"((?:[^"]|"")*)"|([^,"\s]+))\s*(?:,|$)', entry['value'])
        values = [quoted.replace('""', '"') or plain for quoted, plain in found] or ['']
    return f'SET {name(*entry["name"].split("."))} TO {", ".join(map(literal, values))}'


def globals_sql(globals, database):
    """What the server lacks: roles, memberships, tablespaces, and the database itself, empty."""
    words = {'superuser': 'SUPERUSER', 'inherit': 'INHERIT', 'createRole': 'CREATEROLE', 'createDatabase': 'CREATEDB',
             'canLogin': 'LOGIN', 'replication': 'REPLICATION', 'bypassRls': 'BYPASSRLS'}
    for role in globals['roles']:
        options = [word if role[field] else f'NO{word}' for field, word in words.items()]
        options += [f'CONNECTION LIMIT {role["connectionLimit"]}']
        options += [f'PASSWORD {literal(role["password"])}'] if role['password'] is not None else []
        options += [f'VALID UNTIL {literal(role["validUntil"])}'] if role['validUntil'] is not None else []
        statements = [f'CREATE ROLE {name(role["name"])} WITH {" ".join(options)};']
        statements += [f'ALTER ROLE {name(role["name"])} {setting(entry)};' for entry in role['settings']]
        if role['comment'] is not None:
            statements += [f'COMMENT ON ROLE {name(role["name"])} IS {literal(role["comment"])};']
        yield unless('pg_roles', 'rolname', role['name'], literal(' '.join(statements)))
    for member in globals['memberships']:
        grant = f'GRANT {name(member["role"])} TO {name(member["member"])}'
        options = [f'{word.upper()} {member[word]}' for word in ('admin', 'inherit', 'set') if member[word] is not None]
        since_16 = f'{grant} WITH {", ".join(options)}'
        before = f'{grant} WITH ADMIN OPTION' if member['admin'] else grant
        yield f'SELECT CASE WHEN {IS_16} THEN {literal(since_16)} ELSE {literal(before)} END \\gexec'
    for space in globals['tablespaces']:  # where they shall lie is for you to say
        yield f'-- CREATE TABLESPACE {name(space["name"])} OWNER {name(space["owner"])} LOCATION {literal(space["location"])};'
        yield from (f'-- {grant}' for grant in grants(f'TABLESPACE {name(space["name"])}', space['owner'], space['grants']))
    create = (f'CREATE DATABASE {name(database["name"])} TEMPLATE template0 ENCODING {literal(database["encoding"])} '
              f'LC_COLLATE {literal(database["collate"])} LC_CTYPE {literal(database["ctype"])} '
              f'OWNER {name(database["owner"])} TABLESPACE {name(database["tablespace"])}')
    provider = f' LOCALE_PROVIDER {database["localeProvider"]}'
    if database['localeProvider'] != 'libc':
        provider += f' {database["localeProvider"].upper()}_LOCALE {literal(database["locale"] or "")}'
    if database['icuRules'] is not None:
        provider += f' ICU_RULES {literal(database["icuRules"])}'
    create = f"{literal(create)} || CASE WHEN {IS_15} THEN {literal(provider)} ELSE '' END"
    yield unless('pg_database', 'datname', database['name'], create)


def database_sql(database):
    """What comes last, for the database that psql is connected to: its settings would disturb the load."""
    here = 'DATABASE :"DBNAME"'
    if database['comment'] is not None:
        yield f'COMMENT ON {here} IS {literal(database["comment"])};'
    for entry in database['settings']:
        whose = f'ALTER {here}' if entry['role'] is None else f'ALTER ROLE {name(entry["role"])} IN {here}'
        yield f'{whose} {setting(entry)};'
    yield from grants(here, database['owner'], database['grants'])
    yield f'ALTER {here} CONNECTION LIMIT {database["connectionLimit"]};'


class Dump:
    """Writes one backup as SQL for psql: to stdout, or into the files of a directory."""

    def __init__(self, repository, manifest, options):
        self.repository, self.manifest, self.options, self.lost = repository, manifest, options, []
        self.encoding = manifest['database']['encoding']
        if self.encoding == 'SQL_ASCII':  # there, a character stands for the byte of its number
            quote.plain = '[ -~\x80-\xff]'
        self.out = sys.stdout.buffer
        if options.directory:
            os.makedirs(options.directory)
            self.all = self.open('restore.sql')

    def open(self, file):
        return open(os.path.join(self.options.directory, file), 'xb')

    def section(self, file, encoding='UTF8'):
        """What follows goes into a file of its own."""
        if self.options.directory:
            self.all.write(f'\\ir {file}\n'.encode())
            self.out = self.open(file)
        if self.options.directory or file.startswith('1'):
            self.sql(SETTINGS)
        self.sql(f'SET client_encoding = {literal("SQL_ASCII" if self.encoding == "SQL_ASCII" else encoding)};')

    def sql(self, *statements):
        for statement in statements:
            self.out.write(statement.encode('latin-1' if self.encoding == 'SQL_ASCII' else 'utf-8') + b'\n')

    def foreign_sql(self, text):
        """The source server had a hand in it: psql must not take any of it for a command of its own."""
        key = secrets.token_hex(16)
        self.sql(*([] if self.options.old_psql else [f'\\restrict {key}']))
        self.out.write(text + b'\n')
        self.sql(*([] if self.options.old_psql else [f'\\unrestrict {key}']))

    def give_up(self, problem):
        """Nobody shall take what was written so far for all of it."""
        body = f'BEGIN RAISE EXCEPTION USING MESSAGE = {literal("this dump is not complete: " + problem)}; END'
        self.sql(f'DO {literal(body)};')
        self.out.flush()
        stop(f'{problem}; --skip-damaged goes on with everything else')

    def lose(self, what):
        say(f'lost: {what}')
        self.lost.append(what)

    def damaged(self, what, problem):
        if not self.options.skip_damaged:
            self.give_up(f'{what}: {problem}')
        say(f'{what}: {problem}')

    def text(self, what, stream):
        try:
            return self.repository.text(stream)
        except Damage as damage:
            self.damaged(what, damage)
            self.lose(what)
            return b''

    def copy(self, what, target, stream):
        """Writes one COPY, in a transaction that stays open, and yields its rows as `Repository.rows` does."""
        self.sql(f'BEGIN; COPY {target} FROM stdin;')
        for rows in self.repository.rows(stream):
            if isinstance(rows, Damage):
                if not self.options.skip_damaged:
                    self.sql('\\.', 'ROLLBACK;')
                self.damaged(what, rows)
            elif b'\\.' in rows and re.search(rb'^\\\.\r?$', rows, re.M):
                self.sql('\\.', 'ROLLBACK;')
                self.give_up(f'{what} holds the line that ends COPY, which no PostgreSQL writes')
            else:
                self.out.write(rows)
            yield rows
        self.sql('\\.')

    def run(self):
        manifest, schema = self.manifest, self.manifest.get('schema')
        self.section('1-before-data.sql')
        if manifest['selection']['tables']:  # then pg_dump prints no schemas
            schemas = {table['schema'] for table in manifest['tables']} - {'public'}
            self.sql(*(f'CREATE SCHEMA IF NOT EXISTS {name(schema)};' for schema in schemas))
        if schema:
            self.foreign_sql(self.text('the definitions before data', schema['preData']))
        for table in manifest['tables']:
            if 'extension' in table:  # if it was added to the extension by hand, nobody else makes it
                columns = ', '.join(f'{name(column["name"])} {column["type"]}' for column in table['extension']['columns'])
                create = f'CREATE TABLE IF NOT EXISTS {name(table["schema"], table["name"])} ({columns});'
                self.foreign_sql(create.encode())
        for number, table in enumerate(manifest['tables'], 1):
            self.table(number, table)
        self.section('3-sequences.sql')
        for sequence in manifest['sequences']:
            called = str(sequence['isCalled']).lower()
            self.sql(f'SELECT pg_catalog.setval({regclass(sequence)}, {literal(sequence["lastValue"])}, {called});')
        if 'largeObjects' in manifest:
            self.section('4-large-objects.sql')
            self.large_objects(manifest['largeObjects'])
        self.section('5-after-data.sql')
        if schema:
            text = self.text('the definitions after data (indexes, constraints, triggers)', schema['postData'])
            if self.lost:
                self.sql('\\set ON_ERROR_STOP off', '\\echo what needs lost rows, such as a foreign key, fails now:')
            self.foreign_sql(text)
        self.sql(*database_sql(manifest['database']))
        if self.lost:
            comment = [manifest['database']['comment'] or '', f'pgrevive: restored without {"; ".join(self.lost)}']
            self.sql(f'COMMENT ON DATABASE :"DBNAME" IS {literal(chr(10).join(filter(None, comment)))};')

    def table(self, number, table):
        what = f'table {table["schema"]}.{table["name"]}'
        self.section(f'2-{number:05}-{re.sub("[^A-Za-z0-9_.-]", "_", what[6:])[:80]}.sql', self.encoding)
        into = table.get('loadVia', table)
        columns = ', '.join(map(name, table['columns']))
        target = name(into['schema'], into['name']) + (f' ({columns})' if columns else '')
        count = 0
        for part in table['parts']:
            for rows in self.copy(what, target, part):
                count += 0 if isinstance(rows, Damage) else rows.count(b'\n')
            self.sql('COMMIT;')
        if count != table['rows']:
            self.lose(f'{table["rows"] - count} of {table["rows"]} rows of {what}')

    def large_objects(self, objects):
        what, pieces, lost, last, hole = 'large objects', 'pg_temp.pgrevive_large_objects', [], 0, False
        self.sql(f'CREATE TABLE {pieces} (oid oid, start int8, data bytea);')
        for rows in self.copy(what, pieces, objects['contents']):
            if isinstance(rows, Damage):
                hole = True
                continue
            if hole:  # lost is what lies between, and what is not known to begin or to end
                oid, start = map(int, rows.split(b'\t', 2)[:2])
                lost.append((last, oid if start else oid - 1))
            last, hole = int(rows[rows.rfind(b'\n', 0, -1) + 1:].split(b'\t', 1)[0]), False
        lost += [(last, 2 ** 32 - 1)] if hole else []
        self.sql('COMMIT;', *(f'DELETE FROM {pieces} WHERE oid BETWEEN {first} AND {end};' for first, end in lost))
        batches = f'SELECT oid, pg_catalog.row_number() OVER () / 500 AS n FROM (SELECT DISTINCT oid FROM {pieces}) o'
        self.sql(f"SELECT pg_catalog.format('SELECT pg_catalog.count(pg_catalog.lo_create(oid)) FROM pg_catalog.unnest(%L::oid[]) "
                 f"oid', pg_catalog.array_agg(oid)) FROM ({batches}) b GROUP BY n \\gexec",  # each is locked until its transaction ends
                 f'SELECT pg_catalog.count(pg_catalog.lo_put(oid, start, data)::text) FROM {pieces}; DROP TABLE {pieces};')
        for item in json.loads(self.text('owners and privileges of large objects', objects['properties']) or '[]'):
            if any(first <= int(item['oid']) <= end for first, end in lost):
                self.lose(f'large object {item["oid"]}')
                continue
            thing = f'LARGE OBJECT {item["oid"]}'
            self.sql(f'ALTER {thing} OWNER TO {name(item["owner"])};', *grants(thing, item['owner'], item['grants']))
            if item['comment'] is not None:
                self.sql(f'COMMENT ON {thing} IS {literal(item["comment"])};')


# ------------------------------------------------------------------------------------------------- the commands


def streams_of(manifest):
    yield 'roles and tablespaces', manifest['globals']
    for section, stream in manifest.get('schema', {}).items():
        if section != 'encoding':
            yield f'schema {section}', stream
    for table in manifest['tables']:
        yield from ((f'table {table["schema"]}.{table["name"]}', part) for part in table['parts'])
    for part in 'properties', 'contents':
        if 'largeObjects' in manifest:
            yield f'large objects: {part}', manifest['largeObjects'][part]


def list_backups(repository):
    outcomes = {}
    for key in repository.objects('proofs/*'):
        try:
            proof = json.loads(repository.sealed('proof', key))['body']
            outcomes[proof['backup']] = proof['outcome']
        except Damage as damage:
            say(f'warning: {damage}')
    for id, body in repository.backups():
        if body is None:
            continue
        totals = body['totals']
        print(id, body['finishedAt'], json.dumps(body['database']), f'{totals["tables"]} tables, {totals["rows"]} rows,',
              f'{totals["bytes"]} bytes,', outcomes.get(id, 'unproven'))


def check_backup(repository, manifest):
    damages = {f'{what}: {piece}': None for what, stream in streams_of(manifest) for piece in repository.read(stream)
               if isinstance(piece, Damage)}
    print(*map(json.dumps, damages), sep='\n') if damages else print('every chunk of it is whole')
    return 8 if damages else 0


def write_globals(repository, manifest, out):
    try:
        globals = json.loads(repository.text(manifest['globals']))
    except Damage as damage:
        stop(f'roles and tablespaces are lost: {damage}')
    for statement in globals_sql(globals, manifest['database']):
        out.write(statement.encode() + b'\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('command', choices=('list', 'check', 'globals', 'dump'), help='what to do; see RESTORE.md')
    parser.add_argument('repository', help='the directory that holds "config"')
    parser.add_argument('backup', nargs='?', help='its id, or the beginning of it, or "latest"')
    key = parser.add_mutually_exclusive_group(required=True)
    key.add_argument('--identity', metavar='FILE', help='key file, recovery kit or age identity file')
    key.add_argument('--passphrase', action='store_true', help='age will ask for the passphrase of the repository')
    parser.add_argument('--directory', metavar='DIR', help='dump: into files of this new directory instead of stdout')
    parser.add_argument('--skip-damaged', action='store_true', help='dump: leave out what is damaged, say what, exit with 10')
    parser.add_argument('--old-psql', action='store_true', help='dump: for a psql that does not know \\restrict')
    options = parser.parse_args()
    os.umask(0o077)
    repository = Repository(options.repository, options.identity, options.passphrase)
    if options.command == 'list':
        return list_backups(repository)
    id, manifest = repository.manifest(options.backup or parser.error('which BACKUP? "list" shows all'))
    if options.command == 'check':
        return check_backup(repository, manifest)
    if options.command == 'globals':
        return write_globals(repository, manifest, sys.stdout.buffer)
    dump = Dump(repository, manifest, options)
    dump.run()
    say(f'backup {id} is written' + (f' without {"; ".join(dump.lost)}' if dump.lost else ''))
    return 10 if dump.lost else 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except (OSError, KeyError, struct.error) as error:
        stop(f'{type(error).__name__}: {error}')
