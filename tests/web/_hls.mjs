// SPDX-License-Identifier: BSD-2-Clause
// What playlists are judged by, wherever they come from.
import HLS from 'hls-parser';
import { check } from './_lib.mjs';

HLS.setOptions({ strictMode: true, silent: true });

// A playlist as a strict third-party parser understands it.
export function parse(name, text) {
  check(text.startsWith('#EXTM3U\n'), `${name} does not start with #EXTM3U`); // 4.4.1.1
  check(!text.includes('\r') && text.endsWith('\n'), `${name}: line ends`); // 4.1
  try {
    return HLS.parse(text);
  } catch (error) {
    error.message = `${name}: ${error.message}`;
    throw error;
  }
}

export const tag = (text, name) => new RegExp(`^#${name}:(.*)$`, 'm').exec(text)?.[1];

// 4.4.6.2: the largest rate of any run of segments of 0.5 to 1.5 target durations; where no run
// qualifies, the rate of the whole.
export function peak({ segments, target, bytes, total }) {
  let best = (bytes * 8) / total;
  for (let from = 0; from < segments.length; from += 1) {
    let duration = 0;
    let size = 0;
    for (let to = from; to < segments.length && duration <= 1.5 * target; to += 1) {
      duration += segments[to].duration;
      size += segments[to].size;
      if (duration >= 0.5 * target && duration <= 1.5 * target) {
        best = Math.max(best, (size * 8) / duration);
      }
    }
  }
  return best;
}

export const average = ({ bytes, total }) => (bytes * 8) / total;
