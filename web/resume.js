// SPDX-License-Identifier: BSD-2-Clause
// Where one left off, for each film, in this browser: one entry of localStorage with the films seen
// last. Without storage (private windows, no leave) every film begins at its start.

const KEY = 'sluice.positions';
const FILMS_MAX = 200;
const FIRST = 5; // seconds: before, it begins at the start
const CREDITS = 0.97; // of the whole: after that, it has been seen

// { path: [position, duration, when] }, whatever else may stand there
function load() {
  try {
    const stored = Object.entries(JSON.parse(localStorage.getItem(KEY)) ?? {});
    return new Map(stored.filter(([, entry]) => Array.isArray(entry) && entry.length === 3
      && entry.every(Number.isFinite)));
  } catch {
    return new Map();
  }
}

function store(films) {
  const newest = [...films].sort(([, a], [, b]) => b[2] - a[2]).slice(0, FILMS_MAX);
  try {
    localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(newest)));
  } catch {
    // full or forbidden
  }
}

// Seconds, 0 for the start.
export function positionOf(path) {
  return load().get(path)?.[0] ?? 0;
}

// The share of each film that has been seen.
export function shares() {
  return new Map([...load()].map(([path, [at, duration]]) => [path, Math.min(1, at / duration)]));
}

export function remember(path, position, duration) {
  const films = load();

  if (!Number.isFinite(duration) || duration <= 0) return;
  if (position < FIRST || position > duration * CREDITS) films.delete(path);
  else films.set(path, [position, duration, Date.now()]);
  store(films);
}
