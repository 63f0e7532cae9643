import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Reach, isPublic } from './reach.ts'

describe('where the service may connect to', () => {
  it('is what is public, in whatever way an address is written', async () => {
    for (const address of [
      '8.8.8.8',
      '1.1.1.1',
      '172.32.0.1',
      '100.128.0.1',
      '2606:4700::1111',
      '::ffff:8.8.8.8',
      '64:ff9b::808:808',
    ]) {
      assert.ok(isPublic(address), address)
    }
    for (const address of [
      '127.0.0.1',
      '127.8.9.1',
      '0.0.0.0',
      '10.0.0.1',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '100.64.0.1',
      '169.254.169.254',
      '192.0.0.192',
      '198.18.0.1',
      '224.0.0.1',
      '239.255.255.255',
      '255.255.255.255',
      '::',
      '::1',
      'fe80::1',
      'fe80::1%eth0',
      'fc00::1',
      'fd12::1',
      'fec0::1',
      'ff02::1',
      '2001:db8::1',
      '::ffff:127.0.0.1',
      '::ffff:7f00:1',
      '::ffff:169.254.169.254',
      '::127.0.0.1',
      '64:ff9b::7f00:1',
      '64:ff9b:1::1',
      '2002:7f00:1::',
      '2001::1',
      '0:0:0:0:0:ffff:c0a8:101',
      '100::1',
    ]) {
      assert.ok(!isPublic(address), address)
    }
  })

  it('is not this machine, whatever name it has', async () => {
    const reach = new Reach([])
    for (const url of [
      'http://localhost/',
      'http://127.1/',
      'http://0x7f000001/',
      'http://2130706433/',
      'http://[::1]/',
      'http://[::ffff:127.0.0.1]/',
    ]) {
      await assert.rejects(reach.resolve(new URL(url).hostname), { code: 'address-refused' }, url)
    }
    await assert.rejects(reach.resolve('no-such-host.invalid'), { code: 'address-unknown' })
  })

  it('is more, where pgrevive.yaml names it: a host, an address or a network', async () => {
    const resolves = async (allowed: string[], host: string) =>
      new Reach(allowed).resolve(host).then(
        ([{ address }]) => address,
        () => undefined,
      )
    assert.ok(await resolves(['LocalHost.'], 'localhost'))
    assert.equal(await resolves(['127.0.0.1'], '127.0.0.1'), '127.0.0.1')
    assert.equal(await resolves(['127.0.0.0/8'], '127.9.9.9'), '127.9.9.9')
    assert.equal(await resolves(['10.0.0.0/8'], '127.0.0.1'), undefined)
    assert.equal(await resolves(['::1'], '[::1]'), '::1')
    assert.equal(await resolves(['other'], 'localhost'), undefined)
  })
})
