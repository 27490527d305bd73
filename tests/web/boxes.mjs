#!/usr/bin/env node
// SPDX-License-Identifier: BSD-2-Clause
// node boxes.mjs
// A second MP4 reader (mp4box.js) looks at what `sluice remux` writes, fragmented and classic: it knows
// every box to its end, and finds the packets that libavformat found in the source.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { film, names } from './_films.mjs';
import { scratch } from './_ladders.mjs';
import { check, run, settings } from './_lib.mjs';

const MP4Box = createRequire(import.meta.url)('mp4box'); // no module of its own kind
const CODECS = { // what must be in the codec string of a track, by the source's name of it
  h264: /^avc1\.[0-9a-f]{6}$/i, vp9: /^vp09\.\d\d\.\d\d\.\d\d/, aac: /^mp4a\.40\.2$/, eac3: /^mp4a\.40\.2$/,
  opus: /^Opus$/i, flac: /^fLaC$/i, mp3: /^(mp4a\.(6b|69|40\.34)|\.mp3)$/i,
};
const PIECE = 100_000; // bytes given at a time
const home = scratch();

const md5 = (data) => createHash('md5').update(data).digest('hex');

function command(name, args) {
  const done = spawnSync(name, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  check(done.status === 0, `${name} ${args.join(' ')}: ${done.error ?? done.stderr}`);
  return done.stdout;
}

// Hashes of the packets of each stream, and the stream's codec.
function packets(file) {
  const { packets: all, streams } = JSON.parse(command('ffprobe', ['-v', 'error', '-of', 'json', '-show_packets',
    '-show_data_hash', 'MD5', '-show_entries', 'packet=stream_index,data_hash:stream=index,codec_name,codec_type',
    file]));
  return streams.map((stream) => ({
    codec: stream.codec_name,
    kind: stream.codec_type,
    hashes: all.filter((p) => p.stream_index === stream.index).map((p) => p.data_hash.replace('MD5:', '')),
  }));
}

function read(file) {
  const data = readFileSync(file);
  const mp4 = MP4Box.createFile();
  const complaints = [];
  const samples = new Map();
  let info = null;
  MP4Box.Log.warn = (module, message) => complaints.push(`${module}: ${message}`);
  MP4Box.Log.error = MP4Box.Log.warn;
  mp4.onError = (message) => complaints.push(message);
  mp4.onSamples = (id, _user, got) => samples.get(id).push(...got);
  mp4.onReady = (found) => {
    info = found;
    for (const track of info.tracks) {
      samples.set(track.id, []);
      mp4.setExtractionOptions(track.id, null, { nbSamples: 50 });
    }
    mp4.start();
  };
  for (let at = 0; at < data.length; at += PIECE) {
    const piece = new Uint8Array(data.subarray(at, at + PIECE)).buffer;
    piece.fileStart = at;
    mp4.appendBuffer(piece);
  }
  mp4.flush();
  check(info, `${file}: no moov was found`);
  return { info, samples, complaints, boxes: mp4.boxes };
}

function walk(boxes, visit) {
  for (const box of boxes ?? []) {
    visit(box);
    walk(box.boxes, visit);
    walk(box.entries?.filter((entry) => entry?.type), visit);
  }
}

function judge(source, file, fragmented) {
  const { info, samples, complaints, boxes } = read(file);
  check(complaints.length === 0, complaints.slice(0, 3).join('; '));
  check(info.isFragmented === fragmented, `fragmented: ${info.isFragmented}`);
  check(boxes[0].type === 'ftyp' && boxes[1].type === 'moov', boxes.slice(0, 3).map((b) => b.type).join());
  walk(boxes, (box) => check(!box.has_unparsed_data, `${box.type} has bytes that a reader does not know`));
  check(info.tracks.length === source.length, `${info.tracks.length} tracks`);
  info.tracks.forEach((track, n) => {
    const { codec, kind, hashes } = source[n];
    check(CODECS[codec].test(track.codec), `${codec} became ${track.codec}`);
    check((track.type ?? kind) === kind, `${kind} became ${track.type}`);
    const got = samples.get(track.id);
    got.forEach((s, i) => check(i === 0 || s.dts === got[i - 1].dts + got[i - 1].duration,
      `${kind}: sample ${i} begins at ${s.dts}, not where the one before ends`));
    check(got.every((s) => s.cts >= s.dts), `${kind}: a composition offset is negative`);
    check(got[0].is_sync && (kind === 'video' || got.every((s) => s.is_sync)), `${kind}: sync samples`);
    if (codec === 'eac3') return; // converted
    const mine = got.map((s) => md5(s.data)).join('\n');
    check(mine === hashes.join('\n'),
      `${kind}: ${got.length} samples are not the ${hashes.length} packets of the source`);
  });
}

const tests = names.filter((name) => !name.endsWith('.ts')).flatMap((name) => [[], ['--faststart']].map((args) => {
  const what = [name, ...args].join(' ');
  return [what, () => {
    const source = film(home, name);
    const out = path.join(home, 'out.mp4');
    command(settings.sluice, ['remux', source, '-o', out, ...args]);
    judge(packets(source), out, args.length === 0);
  }];
}));
process.exit(await run(tests));
