// SPDX-License-Identifier: BSD-2-Clause
// Films to remux: a few seconds of each pair of codecs that browsers are given, made by ffmpeg.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { check } from './_lib.mjs';

export const RATE = 30000 / 1001;
export const SECONDS = 14;

// The luma of each picture says which second of the film it belongs to.
export const luma = (seconds) => 20 + 12 * Math.floor(seconds + 0.001);

const COUNTED = `color=black:size=320x180:rate=30000/1001:duration=${SECONDS},`
  + 'geq=lum=20+12*floor(T+0.001):cb=128:cr=128,format=yuv420p';
const TONES = `aevalsrc=0.2*sin(2*PI*480*t)|0.2*sin(2*PI*720*t):s=48000:c=stereo:d=${SECONDS}`;
const H264 = ['-c:v', 'libx264', '-preset', 'fast', '-g', '75', '-bf', '2', '-keyint_min', '75',
  '-sc_threshold', '0'];
const VP9 = ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8', '-g', '75', '-b:v', '300k'];
const RECIPES = {
  'h264-aac.mkv': [...H264, '-c:a', 'aac'],
  'h264-eac3.mkv': [...H264, '-c:a', 'eac3'],
  'h264-opus.mkv': [...H264, '-c:a', 'libopus'],
  'h264-flac.mkv': [...H264, '-c:a', 'flac'],
  'h264-mp3.mkv': [...H264, '-c:a', 'libmp3lame'],
  'h264-aac.ts': [...H264, '-c:a', 'aac'],
  'h264-aac.mp4': [...H264, '-c:a', 'aac'],
  'vp9-opus.webm': [...VP9, '-c:a', 'libopus'],
};
export const names = Object.keys(RECIPES);

export function ffmpeg(args) {
  const done = spawnSync('ffmpeg', ['-nostdin', '-y', '-v', 'error', ...args], { encoding: 'utf8' });
  check(done.status === 0, `ffmpeg ${args.join(' ')}: ${done.error ?? done.stderr}`);
}

export function film(home, name) {
  const file = path.join(home, name);
  if (!existsSync(file)) {
    ffmpeg(['-f', 'lavfi', '-i', COUNTED, '-f', 'lavfi', '-i', TONES, ...RECIPES[name], file]);
  }
  return file;
}
