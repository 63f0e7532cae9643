import { BlockList, isIP, isIPv6 } from 'node:net'

/** Where a request comes from: the other end, or what a proxy that is trusted says of it. */
export class Addresses {
  readonly #proxies = new BlockList()

  /** Addresses and networks: `127.0.0.1`, `10.0.0.0/8`. */
  constructor(trustedProxies: readonly string[]) {
    for (const one of trustedProxies) {
      const [address = '', prefix] = one.split('/')
      const family = isIPv6(address) ? 'ipv6' : 'ipv4'
      if (prefix === undefined) this.#proxies.addAddress(address, family)
      else this.#proxies.addSubnet(address, Number(prefix), family)
    }
  }

  /** The last one of X-Forwarded-For that is no proxy of ours: whoever asks may have written what stands before it. */
  of(remote: string | undefined, forwardedFor: string | undefined): string {
    let address = plain(remote ?? 'unknown')
    for (const next of (forwardedFor ?? '')
      .split(',')
      .toReversed()
      .map((one) => plain(one.trim()))) {
      if (!this.#isProxy(address) || isIP(next) === 0) break
      address = next
    }
    return address
  }

  #isProxy(address: string): boolean {
    return isIP(address) !== 0 && this.#proxies.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
  }
}

/** Without a port, which some proxies add, and an IPv4 address as it is, where a socket of IPv6 has wrapped it. */
function plain(address: string): string {
  const [, bare = address] = /^\[([^\]]*)\](?::\d+)?$/.exec(address) ?? /^([\d.]+):\d+$/.exec(address) ?? []
  return bare.replace(/^::ffff:(?=[\d.]+$)/i, '')
}
