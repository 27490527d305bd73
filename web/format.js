// SPDX-License-Identifier: BSD-2-Clause
// Numbers as people read them. Pure functions.

export function time(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) return '0:00';
  const whole = Math.floor(seconds);
  const h = Math.floor(whole / 3600);
  const m = Math.floor((whole % 3600) / 60);
  const s = String(whole % 60).padStart(2, '0');
  return h > 0 ? `${h}:${String(m).padStart(2, '0')}:${s}` : `${m}:${s}`;
}

export function spokenTime(seconds) {
  const whole = Math.max(0, Math.floor(Number.isFinite(seconds) ? seconds : 0));
  const parts = [[Math.floor(whole / 3600), 'hour'], [Math.floor((whole % 3600) / 60), 'minute'],
    [whole % 60, 'second']];
  const said = parts.filter(([n], i) => n > 0 || i === 2);
  return said.map(([n, unit]) => `${n} ${unit}${n === 1 ? '' : 's'}`).join(' ');
}

export function bitrate(bits) {
  if (!(bits > 0)) return '–';
  if (bits < 1e6) return `${Math.round(bits / 1e3)} kbit/s`;
  return `${(bits / 1e6).toFixed(bits < 1e7 ? 1 : 0)} Mbit/s`;
}

export function ago(unixSeconds, now = Date.now()) {
  const seconds = Math.max(0, Math.round(now / 1000 - unixSeconds));
  const units = [[60, 'second'], [60, 'minute'], [24, 'hour'], [7, 'day'], [4.35, 'week'],
    [12, 'month'], [Infinity, 'year']];
  let value = seconds;
  for (const [size, name] of units) {
    if (value < size) {
      return new Intl.RelativeTimeFormat('en', { numeric: 'auto' }).format(-Math.floor(value), name);
    }
    value /= size;
  }
  return '';
}

// What to call each rung of a ladder: the name that its maker gave it (RFC 8216bis 4.4.6.2,
// STABLE-VARIANT-ID) or its height, and the rate where names repeat.
export function rungNames(levels) {
  const base = levels.map((l) => l.attrs?.['STABLE-VARIANT-ID']
    || (l.height ? `${l.height}p` : 'sound'));
  return base.map((name, i) => (base.indexOf(name) === base.lastIndexOf(name)
    ? name : `${name} ${bitrate(levels[i].bitrate)}`));
}
