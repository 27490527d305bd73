#!/usr/bin/env node
// SPDX-License-Identifier: BSD-2-Clause
// node playlists.mjs [[--foreign] DIRECTORY...]
// Every playlist of a ladder through a strict third-party parser, and then by the rules of RFC
// 8216bis that need the files beside it. --foreign leaves out what only we promise.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { average, parse as parseText, peak, tag } from './_hls.mjs';
import { foreign, ours, scratch } from './_ladders.mjs';
import { check, run } from './_lib.mjs';

const EXTINF_ERROR = 1e-6; // of one printed duration

const args = process.argv.slice(2);
const directories = args.filter((arg) => !arg.startsWith('--'));
if (args.some((arg) => arg.startsWith('--') && arg !== '--foreign')) {
  console.error('usage: node playlists.mjs [[--foreign] DIRECTORY...]');
  process.exit(2);
}
const home = scratch();
const ladders = directories.length > 0
  ? directories.map((directory) => [directory, () => directory, args.includes('--foreign')])
  : [...ours(home).map(([name, make]) => [name, make, false]),
    ...foreign(home).map(([name, make]) => [name, make, true])];

function find(directory) {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const full = path.join(directory, entry.name);
    if (entry.isDirectory()) return find(full);
    return entry.name.endsWith('.m3u8') ? [full] : [];
  });
}

function parse(file) {
  const text = readFileSync(file, 'utf8');
  return { file, text, list: parseText(file, text) };
}

const beside = (file, uri) => path.join(path.dirname(file), decodeURIComponent(uri));

function checkUri(file, uri) {
  check(!/^[a-z]+:|^\//i.test(uri), `${file}: ${uri} is not relative`);
  const { size } = statSync(beside(file, uri));
  check(size > 0, `${uri} of ${file} is empty`);
  return size;
}

// A media playlist by itself. Returns what the multivariant playlist is compared with.
function checkMedia({ file, text, list }, isForeign) {
  const target = list.targetDuration;
  const version = Number(tag(text, 'EXT-X-VERSION'));
  check(Number.isInteger(target) && target > 0, `${file}: EXT-X-TARGETDURATION`);
  check(list.segments.length > 0, `${file} lists nothing`);
  const segments = list.segments.map((segment) => {
    check(segment.duration > 0, `${file}: ${segment.uri} lasts ${segment.duration}`);
    check(Math.round(segment.duration) <= target, // 4.4.3.1
      `${file}: ${segment.uri} lasts ${segment.duration}, more than ${target}`);
    return { duration: segment.duration, size: checkUri(file, segment.uri) };
  });
  const uris = list.segments.map((segment) => segment.uri);
  check(new Set(uris).size === uris.length, `${file} lists a segment twice`);
  const map = list.segments[0].map;
  if (map) {
    checkUri(file, map.uri);
    check(version >= (isForeign ? 6 : 7), `${file}: version ${version} with EXT-X-MAP`); // 8
  }
  if (!isForeign) {
    check(list.playlistType === 'EVENT', `${file} is ${list.playlistType}`);
    check(/^#EXT-X-INDEPENDENT-SEGMENTS$/m.test(text), `${file}: independent segments`);
    check(/^#EXT-X-ENDLIST$/m.test(text), `${file} has no end`);
    check(uris.every((uri) => !map === uri.endsWith('.ts')), `${file}: names of segments`);
  }
  return {
    target, segments,
    total: segments.reduce((sum, s) => sum + s.duration, 0),
    bytes: segments.reduce((sum, s) => sum + s.size, 0),
  };
}

const near = (stated, measured) => stated >= measured * 0.9999 && stated <= measured * 1.01 + 8;

function checkRates(file, variant, video, sounds) {
  // The audio rendition that goes with it, whichever costs most: 4.4.6.2
  const top = peak(video) + Math.max(0, ...sounds.map(peak));
  const mean = average(video) + Math.max(0, ...sounds.map(average));
  check(near(variant.bandwidth, top),
    `${file}: BANDWIDTH of ${variant.uri} is ${variant.bandwidth}, measured ${Math.ceil(top)}`);
  check(near(variant.averageBandwidth, mean), `${file}: AVERAGE-BANDWIDTH of ${variant.uri} is `
    + `${variant.averageBandwidth}, measured ${Math.ceil(mean)}`);
}

function checkVariants({ file, list }, media, isForeign) {
  const at = (uri) => {
    checkUri(file, uri);
    const found = media.get(path.resolve(beside(file, uri)));
    check(found, `${file}: ${uri} is not a media playlist`);
    return found;
  };
  check(list.variants.length > 0, `${file} has no variants`);
  for (const variant of list.variants) {
    const video = at(variant.uri);
    check(variant.codecs, `${file}: ${variant.uri} has no CODECS`);
    check(variant.resolution?.width > 0, `${file}: ${variant.uri} has no RESOLUTION`);
    const sounds = variant.audio.map((rendition) => at(rendition.uri));
    check(variant.audio.filter((rendition) => rendition.isDefault).length <= 1,
      `${file}: two renditions are the default`);
    check(sounds.length === 0 || /mp4a|ac-3|ec-3|opus/i.test(variant.codecs),
      `${file}: CODECS of ${variant.uri} leaves out the sound`);
    if (isForeign) continue;
    check(/avc1|hvc1/.test(variant.codecs), `${file}: CODECS ${variant.codecs}`);
    check(variant.frameRate > 0, `${file}: ${variant.uri} has no FRAME-RATE`);
    checkRates(file, variant, video, sounds);
  }
  const [first, ...others] = list.variants.map((variant) => at(variant.uri));
  for (const other of others) { // cut in the same places
    check(other.target === first.target, `${file}: target durations differ`);
    check(other.segments.length === first.segments.length
      && other.segments.every((s, i) => Math.abs(s.duration - first.segments[i].duration) <= EXTINF_ERROR),
    `${file}: rungs are not cut in the same places`);
  }
}

const status = await run(ladders.map(([name, make, isForeign]) => [name, () => {
  const directory = make();
  const all = find(directory).map(parse);
  const masters = all.filter(({ list }) => list.isMasterPlaylist);
  const media = new Map(all.filter(({ list }) => !list.isMasterPlaylist)
    .map((playlist) => [path.resolve(playlist.file), checkMedia(playlist, isForeign)]));
  check(masters.length === 1 && masters[0].file === path.join(directory, 'master.m3u8'),
    `${directory} has ${masters.length} multivariant playlists, not master.m3u8 alone`);
  check(isForeign || masters[0].list.independentSegments, 'master.m3u8: independent segments');
  checkVariants(masters[0], media, isForeign);
  console.log(`# ${[...media.values()].map((m) => `${m.segments.length} segments, ${m.total.toFixed(6)} s`).join('; ')}`);
}]));
process.exit(status);
