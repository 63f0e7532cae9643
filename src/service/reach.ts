import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'
import { AppError } from '../core/app-error.ts'

/** An address that a name has now, and that may be connected to. */
export interface ReachedAddress {
  readonly address: string
  readonly family: 4 | 6
}

/** Everything of IPv4 that is not public: IANA's special-purpose registry (RFC 6890), multicast and what is reserved. */
const specialIpv4 = blockListOf([
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
])
const publicIpv6 = blockListOf(['2000::/3'])
/** Teredo and its neighbours, documentation, and 6to4, which hides an IPv4 address. */
const specialIpv6 = blockListOf(['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'])
/** IPv4 in IPv6: mapped, compatible, and as NAT64 does it (RFC 6052). */
const ipv4InIpv6 = blockListOf(['::ffff:0:0/96', '::/96', '64:ff9b::/96'])

/**
 * Where the service connects to for others: channels and stores that may have been entered over the API. Private addresses
 * and those of this machine are refused, unless `service.reach_private` of pgrevive.yaml names them: as a host, an address
 * or a network such as 10.1.0.0/16.
 */
export class Reach {
  readonly #names: ReadonlySet<string>
  readonly #networks: BlockList

  constructor(allowed: readonly string[]) {
    const [networks, names] = [allowed.filter(isNetwork), allowed.filter((entry) => !isNetwork(entry))]
    this.#names = new Set(names.map(plainName))
    this.#networks = blockListOf(networks)
  }

  /**
   * The addresses of a host that may be connected to. To connect to the name itself would ask for it again, and another
   * answer may come. Rejects with `address-refused`, or `address-unknown`.
   */
  async resolve(host: string): Promise<readonly [ReachedAddress, ...ReachedAddress[]]> {
    const name = plainName(host)
    const found = (await addressesOf(name)).filter(
      ({ address }) => this.#names.has(name) || isPublic(address) || contains(this.#networks, address),
    )
    const [first, ...others] = found
    if (first) return [first, ...others]
    throw new AppError('address-refused', `${host} has an address of this machine or of a private network`, {
      hint: `to allow it, write "service: { reach_private: [${name}] }" into pgrevive.yaml, which no API can change`,
    })
  }
}

async function addressesOf(name: string): Promise<ReachedAddress[]> {
  try {
    const found = await lookup(name, { all: true, order: 'verbatim' })
    return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }))
  } catch (cause) {
    throw new AppError('address-unknown', `the name ${name} is not known`, { cause, hint: 'is it spelled right?' })
  }
}

export function isPublic(address: string): boolean {
  if (isIP(address) === 4) return !specialIpv4.check(address, 'ipv4')
  if (isIP(address) !== 6 || address.includes('%')) return false
  if (ipv4InIpv6.check(address, 'ipv6')) return isPublic(lastFourBytes(address))
  return publicIpv6.check(address, 'ipv6') && !specialIpv6.check(address, 'ipv6')
}

/** `127.0.0.1` of `::ffff:7f00:1` */
function lastFourBytes(address: string): string {
  // the URL parser writes an address in one way
  const { hostname } = new URL(`http://[${address}]`)
  const [high = '0', low = '0'] = hostname.slice(1, -1).split(':').slice(-2)
  const value = (Number.parseInt(high || '0', 16) << 16) | Number.parseInt(low || '0', 16)
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join('.')
}

function plainName(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
}

function isNetwork(entry: string): boolean {
  return isIP(plainName(entry).split('/')[0] ?? '') !== 0
}

function contains(networks: BlockList, address: string): boolean {
  return networks.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}

function blockListOf(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = plainName(network).split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return list
}
