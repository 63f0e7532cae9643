/** Where a server listens inside its container. */
export type InnerPlace =
  | { readonly kind: 'tcp'; readonly address: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }

// The end of what is sent is passed on: a server that has lost its client must learn of that, or its session would hold its
// locks for ever. And no process is left behind, nor ended by a signal unless its parent waits for it: orphans become
// children of process 1, and a PostgreSQL that is process 1 takes that for a crash of one of its own, and restarts.

const perl = `use Socket; use IO::Handle; use Errno;
my ($kind, $where, $port) = @ARGV; $SIG{PIPE} = 'IGNORE';
socket(my $server, $kind eq 'unix' ? PF_UNIX : PF_INET, SOCK_STREAM, 0) or die "socket: $!\\n";
connect($server, $kind eq 'unix' ? pack_sockaddr_un($where) : pack_sockaddr_in($port, inet_aton($where))) or die "$where: $!\\n";
$_->blocking(0) for $server, *STDIN{IO}, *STDOUT{IO};
my ($up, $down, $open, $told, $ended, $fd) = ('', '', 1, 0, 0, fileno($server));
sub again { $!{EAGAIN} || $!{EINTR} }
until ($ended && $down eq '') {
  my ($r, $w) = ('', '');
  vec($r, 0, 1) = 1 if $open && length($up) < 65536;
  vec($r, $fd, 1) = 1 if !$ended && length($down) < 65536;
  vec($w, $fd, 1) = 1 if $up ne '';
  vec($w, 1, 1) = 1 if $down ne '';
  next if select($r, $w, undef, undef) < 0;
  if (vec($r, 0, 1)) { my $n = sysread(STDIN, $up, 65536, length($up)); $open = 0 if defined $n ? !$n : !again(); }
  if (vec($r, $fd, 1)) { my $n = sysread($server, $down, 65536, length($down)); $ended = 1 if defined $n ? !$n : !again(); }
  if (vec($w, $fd, 1)) { my $n = syswrite($server, $up); if ($n) { substr($up, 0, $n, '') } elsif (!again()) { exit 1 } }
  if (vec($w, 1, 1)) { my $n = syswrite(STDOUT, $down); if ($n) { substr($down, 0, $n, '') } elsif (!again()) { exit 1 } }
  if (!$open && $up eq '' && !$told) { shutdown($server, 1); $told = 1; }
}`

const python = `import os, socket, sys, threading
kind, where = sys.argv[1:3]
server = socket.socket(socket.AF_UNIX if kind == 'unix' else socket.AF_INET)
try: server.connect(where if kind == 'unix' else (where, int(sys.argv[3])))
except OSError as problem: sys.exit('%s: %s' % (where, problem))
def send():
    while True:
        data = os.read(0, 65536)
        if not data: break
        server.sendall(data)
    server.shutdown(socket.SHUT_WR)
threading.Thread(target=send, daemon=True).start()
while True:
    data = server.recv(65536)
    if not data: break
    while data: data = data[os.write(1, data):]
os._exit(0)`

// bash can not close one half: it ends the connection once nothing more will be sent
const bash = `trap '' PIPE; exec 3<>"/dev/tcp/$1/$2" 4<&0 || exit 1
cat <&4 >&3 & cat <&3 & wait -n; kill $(jobs -p) 2>/dev/null; wait`

/** The command that carries a stream to the server, or undefined where the program can not. */
export function tunnelCommand(program: string, place: InnerPlace): readonly string[] | undefined {
  const words = place.kind === 'unix' ? ['unix', place.path] : ['tcp', place.address, String(place.port)]
  switch (program) {
    case 'socat':
      // 60 s for the answer to what was sent last
      return [
        'socat',
        '-t',
        '60',
        '-',
        place.kind === 'unix' ? `UNIX-CONNECT:${place.path}` : `TCP:${words[1]}:${words[2]}`,
      ]
    case 'perl':
      return ['perl', '-e', perl, ...words]
    case 'python3':
      return ['python3', '-c', python, ...words]
    case 'bash':
      return place.kind === 'unix' ? undefined : ['bash', '-c', bash, 'bash', place.address, String(place.port)]
    case 'nc':
      return place.kind === 'unix' ? ['nc', '-U', place.path] : ['nc', place.address, String(place.port)]
    default:
      return undefined
  }
}
