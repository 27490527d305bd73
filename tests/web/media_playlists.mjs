#!/usr/bin/env node
// SPDX-License-Identifier: BSD-2-Clause
// node media_playlists.mjs
// Every playlist of sluice serve --media through a strict third-party parser and by the rules of RFC
// 8216bis, and what they list: each segment is there, lasts as long as its EXTINF says, and begins
// where the one before ended, which a second MP4 reader (mp4box.js) finds.
import { createRequire } from 'node:module';
import { average, parse, peak, tag } from './_hls.mjs';
import { scratch } from './_ladders.mjs';
import { check, run, startServer } from './_lib.mjs';
import { library } from './_media.mjs';

const MP4Box = createRequire(import.meta.url)('mp4box');

const EXTINF_ERROR = 1e-6; // seconds, of one printed duration
const CODED = /^\d+p\//; // renditions that cost: three segments of each

const home = scratch();
const { root, files } = library(home, ['h264-eac3.mkv', 'h264-aac.ts']);
const server = await startServer(`--media=${root}`);

async function get(url) {
  const answer = await fetch(url);
  const body = Buffer.from(await answer.arrayBuffer());
  check(answer.status === 200, `${url}: ${answer.status} ${body.subarray(0, 200)}`);
  check(body.length > 0, `${url} is empty`);
  return { body, type: answer.headers.get('Content-Type') };
}

async function getList(url) {
  const { body, type } = await get(url);
  check(type === 'application/vnd.apple.mpegurl', `${url} is ${type}`);
  const text = body.toString();
  return { url, text, list: parse(url, text) };
}

// The boxes of an MP4 as mp4box.js reads them.
function boxes(data) {
  const mp4 = MP4Box.createFile();
  const copy = new Uint8Array(data).buffer;
  copy.fileStart = 0;
  mp4.appendBuffer(copy);
  mp4.flush();
  return mp4;
}

// Where a segment's first sample is decoded, how long all are, and where the last is presented.
function timesOf(data, url) {
  const { moofs } = boxes(data);
  check(moofs.length >= 1, `${url} has no moof`);
  const trafs = moofs.flatMap((moof) => moof.trafs);
  check(trafs.length === moofs.length, `${url} has several tracks`);
  const lasts = trafs.flatMap(({ tfhd, truns }) => truns.flatMap((trun) => (trun.sample_duration.length > 0
    ? trun.sample_duration : Array(trun.sample_count).fill(tfhd.default_sample_duration))));
  return { start: trafs[0].tfdt.baseMediaDecodeTime, length: lasts.reduce((sum, n) => sum + n, 0), count: lasts.length };
}

// Which segments of a rendition are fetched: all that are cheap to make.
function chosen(name, count) {
  if (!CODED.test(name)) return [...Array(count).keys()];
  return [...new Set([0, Math.floor(count / 2), count - 1])];
}

// Segments of fragmented MP4 against EXTINF. Returns their sizes.
async function checkFragments(name, base, { segments, map }) {
  const { moov } = boxes((await get(new URL(map.uri, base))).body);
  const scale = moov.traks[0].mdia.mdhd.timescale;
  const sizes = [];
  let next = null; // where the segment before ended
  let shown = 0; // EXTINF so far
  let begun = null; // where presentation begins, in ticks
  for (const i of chosen(name, segments.length)) {
    const url = new URL(segments[i].uri, base);
    const { body, type } = await get(url);
    check(type === 'video/iso.segment', `${url} is ${type}`);
    const { start, length, count } = timesOf(body, url);
    check(count > 0, `${url} holds nothing`);
    const said = segments[i].duration * scale;
    // Of the first segment what is decoded and not presented is left out.
    check(Math.abs(length - said) <= EXTINF_ERROR * scale + 0.01 || (i === 0 && length > said),
      `${url} lasts ${length} of ${scale}, EXTINF says ${said}`);
    if (next !== null && sizes[i - 1] !== undefined) {
      check(start === next, `${url} begins at ${start}, the one before ended at ${next}`);
    }
    next = start + length;
    begun ??= next - said;
    shown = segments.slice(0, i + 1).reduce((sum, s) => sum + s.duration, 0);
    check(Math.abs(next - begun - shown * scale) <= EXTINF_ERROR * scale * (i + 1) + 0.01,
      `${url} ends at ${next}, the sum of EXTINF is ${shown}`);
    sizes[i] = body.length;
  }
  return sizes;
}

async function checkPlain(name, base, { segments }, begins) {
  const sizes = [];
  for (const i of chosen(name, segments.length)) {
    const url = new URL(segments[i].uri, base);
    const { body } = await get(url);
    check(body.subarray(0, begins.length).toString('latin1') === begins, `${url} begins with ${body.subarray(0, 16)}`);
    sizes[i] = body.length;
  }
  return sizes;
}

async function checkMedia(master, uri, format) {
  const { url, text, list } = await getList(new URL(uri, master));
  const name = uri.replace(/playlist\.m3u8.*/, '');
  const target = list.targetDuration;
  check(list.segments.length > 0, `${url} lists nothing`);
  check(list.playlistType === 'VOD' && list.endlist, `${url} is ${list.playlistType}`);
  check(/^#EXT-X-ENDLIST$/m.test(text), `${url} has no end`);
  for (const { duration, uri: segment } of list.segments) {
    check(duration > 0, `${url}: ${segment} lasts ${duration}`);
    check(Math.round(duration) <= target, `${url}: ${segment} lasts ${duration}, more than ${target}`); // 4.4.3.1
  }
  const uris = list.segments.map((segment) => segment.uri);
  check(new Set(uris).size === uris.length, `${url} lists a segment twice`);
  const { map } = list.segments[0];
  const ending = name.startsWith('text') ? 'vtt' : format === 'ts' ? 'ts' : 'm4s';
  check(uris.every((segment) => new RegExp(`^\\d+\\.${ending}(\\?|$)`).test(segment)), `${url}: ${uris[0]}`);
  check(Boolean(map) === (ending === 'm4s'), `${url}: EXT-X-MAP`);
  check(!map || Number(tag(text, 'EXT-X-VERSION')) >= 7, `${url}: version with EXT-X-MAP`); // 8
  const sizes = ending === 'm4s' ? await checkFragments(name, url, { segments: list.segments, map })
    : await checkPlain(name, url, list, ending === 'ts' ? 'G' : 'WEBVTT');
  const got = list.segments.map(({ duration }, i) => ({ duration, size: sizes[i] })).filter((s) => s.size !== undefined);
  return {
    target, segments: got, whole: got.length === list.segments.length,
    duration: list.segments.reduce((sum, s) => sum + s.duration, 0),
    total: got.reduce((sum, s) => sum + s.duration, 0),
    bytes: got.reduce((sum, s) => sum + s.size, 0),
  };
}

function checkRates(url, variant, video, sounds) {
  const all = [video, ...sounds];
  const most = peak(video) + Math.max(0, ...sounds.map(peak)); // whichever costs most: 4.4.6.2
  const mean = average(video) + Math.max(0, ...sounds.map(average));
  if (!all.every(({ whole }) => whole)) return;
  check(most <= variant.bandwidth * 1.0001 + 8, `${url}: BANDWIDTH of ${variant.uri} is ${variant.bandwidth}, measured ${most}`);
  check(mean <= variant.averageBandwidth * 1.0001 + 8,
    `${url}: AVERAGE-BANDWIDTH of ${variant.uri} is ${variant.averageBandwidth}, measured ${mean}`);
}

async function checkFile({ name, sound, counted }, format) {
  const url = `${server.url}media/${encodeURIComponent(name)}/master.m3u8${format === 'ts' ? '?format=ts' : ''}`;
  const { list } = await getList(url);
  const known = new Map();
  const media = async (uri) => {
    if (!known.has(uri)) known.set(uri, await checkMedia(url, uri, format));
    return known.get(uri);
  };
  check(list.isMasterPlaylist && list.variants.length > 0, `${url} has no variants`);
  for (const variant of list.variants) {
    const video = await media(variant.uri);
    check(variant.codecs && variant.bandwidth >= variant.averageBandwidth, `${url}: ${variant.uri}`);
    check(variant.resolution?.width > 0, `${url}: ${variant.uri} has no RESOLUTION`);
    check(!counted || Math.abs(variant.frameRate - 30000 / 1001) < 0.001, `${url}: FRAME-RATE ${variant.frameRate}`);
    check(!sound || /mp4a|ac-3|ec-3|opus|flac/i.test(variant.codecs), `${url}: CODECS ${variant.codecs} leave out the sound`);
    check(/avc1|hvc1|vp09|av01/.test(variant.codecs), `${url}: CODECS ${variant.codecs}`);
    const sounds = [];
    for (const rendition of variant.audio) if (rendition.uri) sounds.push(await media(rendition.uri));
    for (const rendition of variant.subtitles) await media(rendition.uri);
    check(variant.audio.filter((rendition) => rendition.isDefault).length <= 1, `${url}: two sounds are the default`);
    const names = variant.audio.map((rendition) => rendition.name);
    check(new Set(names).size === names.length, `${url}: two sounds are called the same`); // 4.4.6.1.1
    checkRates(url, variant, video, sounds);
  }
  const segments = [...known.values()].reduce((sum, m) => sum + m.segments.length, 0);
  return `${known.size} playlists, ${segments} segments`;
}

const status = await run(files.flatMap((file) => ['fmp4', 'ts'].map((format) => [`${file.name} ${format}`, async () => {
  console.log(`# ${await checkFile(file, format)}`);
}])));
await server.stop();
process.exit(status);
