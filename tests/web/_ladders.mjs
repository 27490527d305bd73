// SPDX-License-Identifier: BSD-2-Clause
// Ladders to play: made by our command and, for an independent second opinion about the page, by
// ffmpeg's HLS muxer.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { check, settings } from './_lib.mjs';

// Making them is not what is tested here: where there is a release build, it is done by that.
const maker = process.env.SLUICE_RELEASE && existsSync(process.env.SLUICE_RELEASE)
  ? process.env.SLUICE_RELEASE : settings.sluice;
const corpus = process.env.SLUICE_CORPUS ?? '';

export const soak = Boolean(process.env.SLUICE_SOAK);

export function scratch() {
  const directory = mkdtempSync(path.join(tmpdir(), 'sluice-web-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function run(command, args) {
  const done = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  check(done.status === 0, `${command} ${args.join(' ')}: ${done.error ?? done.stderr}`);
}

export function clip(home, seconds = 14, sound = true) {
  const file = path.join(home, sound ? `clip${seconds}.mkv` : `silent${seconds}.mkv`);
  if (!existsSync(file)) {
    const tone = ['-f', 'lavfi', '-i', `sine=440:duration=${seconds}:sample_rate=48000`,
      '-c:a', 'aac', '-ac', '2'];
    run('ffmpeg', ['-nostdin', '-y', '-loglevel', 'error', '-f', 'lavfi', '-i',
      `testsrc2=size=1280x720:rate=30000/1001:duration=${seconds}`, ...(sound ? tone : []),
      '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', file]);
  }
  return file;
}

export function sluiceLadder(source, out, ...args) {
  run(maker, ['ladder', source, '-o', out, ...args]);
  return out;
}

export function ffmpegLadder(source, out, format) {
  const fmp4 = format === 'fmp4';
  mkdirSync(out, { recursive: true });
  run('ffmpeg', ['-nostdin', '-y', '-loglevel', 'error', '-i', source,
    ...(fmp4 ? ['-map', '0:v', '-map', '0:v', '-map', '0:a'] : ['-map', '0:v', '-map', '0:a', '-map', '0:v', '-map', '0:a']),
    '-c:v', 'libx264', '-preset', 'ultrafast', '-force_key_frames', 'expr:gte(t,n_forced*4)',
    '-sc_threshold', '0', '-b:v:0', '2000k', '-b:v:1', '600k', '-filter:v:1', 'scale=640:360',
    '-c:a', 'aac', '-f', 'hls', '-hls_time', '4', '-hls_playlist_type', 'vod',
    '-master_pl_name', 'master.m3u8', '-hls_segment_type', fmp4 ? 'fmp4' : 'mpegts',
    '-hls_segment_filename', path.join(out, fmp4 ? 'v%v/%03d.m4s' : 'v%v/%03d.ts'),
    '-var_stream_map', fmp4 ? 'v:0,agroup:a v:1,agroup:a a:0,agroup:a,default:yes' : 'v:0,a:0 v:1,a:1',
    path.join(out, 'v%v/index.m3u8')]);
  return out;
}

// [name, function that makes it and returns its directory, whether it has sound], of our own.
export function ours(home) {
  const made = [];
  const add = (name, source, sound, ...args) => {
    for (const format of ['fmp4', 'ts']) {
      made.push([`${name} ${format}`, () => sluiceLadder(source(), path.join(home, `${name}-${format}`),
        '--format', format, ...args), sound]);
    }
  };
  add('clip', () => clip(home), true, '--preset', 'ultrafast', '--segment', '2');
  add('silent', () => clip(home, 3, false), false, '--preset', 'ultrafast');
  if (!corpus || !soak) return made; // tests/media/test_corpus.py has played each
  const files = readdirSync(corpus).filter((f) => /\.(mkv|mp4|ts|webm)$/.test(f)).sort();
  for (const file of files) {
    add(file, () => path.join(corpus, file), !/noaudio|graffiti/.test(file), '--preset', 'ultrafast');
  }
  return made;
}

export function foreign(home) {
  return ['fmp4', 'ts'].map((format) => [`ffmpeg ${format}`,
    () => ffmpegLadder(clip(home), path.join(home, `ffmpeg-${format}`), format), true]);
}
