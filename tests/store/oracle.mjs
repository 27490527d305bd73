// SPDX-License-Identifier: BSD-2-Clause
// What IPFS's own JavaScript libraries make of the same bytes: the judge of CIDs, DAGs and CARs.
//   oracle.mjs cids FILE…            {file: {profile: cid}}
//   oracle.mjs tree DIR PROFILE CAR  {path: cid} of everything below, and a CAR of it (leaves first)
//   oracle.mjs read CAR              {roots, blocks, files: {path: sha256}}, every block hashed
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, readdirSync, statSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { CarBlockIterator, CarWriter } from '@ipld/car'
import { exporter } from 'ipfs-unixfs-exporter'
import { importer } from 'ipfs-unixfs-importer'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { balanced } from 'ipfs-unixfs-importer/layout'

// Newer than Node 18, which Debian has.
Promise.withResolvers ??= () => {
  let resolve, reject
  const promise = new Promise((a, b) => { resolve = a; reject = b })
  return { promise, resolve, reject }
}

const profile = (cidVersion, rawLeaves, chunkSize, maxChildrenPerNode) => ({
  cidVersion,
  rawLeaves,
  leafType: 'file',
  reduceSingleLeafToSelf: true,
  wrapWithDirectory: false,
  chunker: fixedSize({ chunkSize }),
  layout: balanced({ maxChildrenPerNode }),
})

const profiles = {
  'unixfs-v1-2025': profile(1, true, 1 << 20, 1024),
  'unixfs-v1': profile(1, true, 1 << 18, 174),
  'unixfs-v0': profile(0, false, 1 << 18, 174),
}

class Blocks {
  map = new Map()
  keep = true
  put(cid, block) {
    if (this.keep) this.map.set(cid.toString(), { cid, bytes: block })
    return cid
  }
  get(cid) {
    const found = this.map.get(cid.toString())
    if (!found) throw new Error(`${cid} is not there`)
    return found.bytes
  }
  has(cid) {
    return this.map.has(cid.toString())
  }
}

async function cids(files) {
  const out = {}
  for (const file of files) {
    out[file] = {}
    for (const [name, options] of Object.entries(profiles)) {
      const blocks = new Blocks()
      blocks.keep = false
      for await (const entry of importer([{ content: createReadStream(file) }], blocks, options))
        out[file][name] = entry.cid.toString()
    }
  }
  return out
}

function* walk(top, base) {
  for (const name of readdirSync(top)) {
    const path = join(top, name)
    if (statSync(path).isDirectory()) {
      yield { path: relative(base, path) }
      yield* walk(path, base)
    } else {
      yield { path: relative(base, path), content: createReadStream(path) }
    }
  }
}

async function tree(top, name, car) {
  const blocks = new Blocks()
  const out = {}
  let root
  for await (const entry of importer(walk(top, dirname(top)), blocks, profiles[name])) {
    out[entry.path] = entry.cid.toString()
    if (entry.path === basename(top)) root = entry.cid
  }
  const { writer, out: bytes } = CarWriter.create([root])
  const done = pipeline(Readable.from(bytes), createWriteStream(car))
  for (const block of blocks.map.values()) await writer.put(block)
  await writer.close()
  await done
  return out
}

const sha256 = () => createHash('sha256')

async function read(file) {
  const blocks = new Blocks()
  const car = await CarBlockIterator.fromIterable(createReadStream(file))
  const order = []
  for await (const block of car) {
    const digest = sha256().update(block.bytes).digest()
    if (Buffer.compare(digest, Buffer.from(block.cid.multihash.digest))) throw new Error(`${block.cid} is damaged`)
    if (blocks.has(block.cid)) throw new Error(`${block.cid} is there twice`)
    blocks.put(block.cid, block.bytes)
    order.push(block.cid.toString())
  }
  const roots = await car.getRoots()
  const files = {}
  async function visit(entry, path) {
    if (entry.type === 'directory') {
      for await (const link of entry.content()) {
        const child = link.cid ? await exporter(link.cid, blocks) : link
        await visit(child, path ? `${path}/${link.name}` : link.name)
      }
    } else {
      const hash = sha256()
      for await (const piece of entry.content()) hash.update(piece)
      files[path] = hash.digest('hex')
    }
  }
  for (const root of roots) await visit(await exporter(root, blocks), '')
  return { roots: roots.map(String), blocks: order, files }
}

const [verb, ...rest] = process.argv.slice(2)
const verbs = { cids: () => cids(rest), tree: () => tree(...rest), read: () => read(...rest) }
console.log(JSON.stringify(await verbs[verb]()))
