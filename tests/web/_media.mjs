// SPDX-License-Identifier: BSD-2-Clause
// Files for sluice serve --media: films of each container that ffmpeg makes, and the corpus. A few of
// them in make check, all of them in make soak.
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { film } from './_films.mjs';
import { soak } from './_ladders.mjs';

const corpus = process.env.SLUICE_CORPUS ?? '';
const MADE = ['h264-eac3.mkv', 'h264-aac.mp4', 'h264-aac.ts', 'vp9-opus.webm'];
const MORE = ['h264-aac.mkv', 'h264-opus.mkv', 'h264-flac.mkv', 'h264-mp3.mkv'];
const SHOWN = ['derived-cups-hevc-aac.mp4', 'tos-332p24-vp8-vorbis.webm']; // Chromium does not take them as they are
const SILENT = /noaudio|graffiti/;

// A directory with all of them, and what is known about each: its name, whether it has sound, and
// whether its pictures count seconds (_films.mjs). quick: those that make check has time for.
export function library(home, quick = [...MADE, ...SHOWN]) {
  const root = path.join(home, 'media');
  mkdirSync(root);
  const made = soak ? [...MADE, ...MORE] : MADE.filter((name) => quick.includes(name));
  const given = corpus ? readdirSync(corpus).filter((name) => /\.(mkv|mp4|ts|webm)$/.test(name)).sort() : [];
  const files = [
    ...made.map((name) => ({ name, sound: true, counted: true, at: film(home, name) })),
    ...(soak ? given : given.filter((name) => quick.includes(name)))
      .map((name) => ({ name, sound: !SILENT.test(name), counted: false, at: path.join(corpus, name) })),
  ];
  // Copied: the server follows no link that leads out of its library.
  for (const { name, at } of files) copyFileSync(at, path.join(root, name));
  return { root, files };
}
