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

export function size(bytes) {
  if (!(bytes >= 0)) return '';
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes / 1e3;
  let i = 0;
  for (; value >= 999.5 && i < units.length - 1; i += 1) value /= 1e3;
  return `${value.toFixed(value < 9.95 && i > 0 ? 1 : 0)} ${units[i]}`;
}

// What people call the codec of an RFC 6381 string.
export function codec(text) {
  const names = { avc1: 'H.264', avc3: 'H.264', hvc1: 'HEVC', hev1: 'HEVC', av01: 'AV1', vp08: 'VP8',
    vp09: 'VP9', 'ac-3': 'AC-3', 'ec-3': 'E-AC-3', opus: 'Opus', flac: 'FLAC', alac: 'ALAC' };
  const lower = text.toLowerCase();
  if (['mp4a.69', 'mp4a.6b', 'mp4a.40.34', 'mp3'].includes(lower)) return 'MP3';
  if (lower.startsWith('mp4a.40')) return 'AAC';
  return names[lower.split('.')[0]] ?? text;
}

// The name of a language, or its tag where that is none.
export function language(tag) {
  if (!tag || tag === 'und') return '';
  try {
    return new Intl.DisplayNames(['en'], { type: 'language' }).of(tag) ?? tag;
  } catch {
    return tag;
  }
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
// STABLE-VARIANT-ID) or its height, "original" for what the library passes through, and the rate
// where names repeat.
export function rungNames(levels) {
  const original = (l) => (/\/source\/playlist\.m3u8/.test(l.uri ?? '') ? ' original' : '');
  const base = levels.map((l) => l.attrs?.['STABLE-VARIANT-ID']
    || (l.height ? `${l.height}p${original(l)}` : 'sound'));
  return base.map((name, i) => (base.indexOf(name) === base.lastIndexOf(name)
    ? name : `${name} ${bitrate(levels[i].bitrate)}`));
}
