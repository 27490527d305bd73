// SPDX-License-Identifier: BSD-2-Clause
// The library: what the server streams on demand, searched by it, shown page by page.
import { $, main, make } from './dom.js';
import * as format from './format.js';
import { shares } from './resume.js';
import { signed } from './signature.js';
import * as thumbs from './thumbs.js';

const PAGE = 60;
const SHOWN_MAX = 1000; // what the server lists at once
const TYPING = 150; // milliseconds
const INCOMPLETE = 1000; // until the server is asked for what it has not looked into yet
const THUMB_AT = 0.1; // of the duration: the first picture is often black
const SVG = 'http://www.w3.org/2000/svg';

export const addressOf = (path) =>
  `media/${path.split('/').map(encodeURIComponent).join('/')}/master.m3u8`;

// A note where there is no picture.
function glyph() {
  const svg = document.createElementNS(SVG, 'svg');
  const shape = document.createElementNS(SVG, 'path');

  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  shape.setAttribute('d', 'M9 17V5l10-2v12M9 17a3 3 0 1 1-3-3h3zm10-2a3 3 0 1 1-3-3h3z');
  svg.append(shape);
  return svg;
}

function detailsOf(file) {
  const renditions = file.renditions ?? [];
  const video = renditions.find((r) => r.kind === 'video');
  const codecs = renditions.filter((r) => r.copy && r.kind !== 'text').map((r) => format.codec(r.codecs));
  const texts = renditions.filter((r) => r.kind === 'text').length;

  if (file.error) return file.error;
  return [video ? `${video.width} × ${video.height}` : '', ...new Set(codecs),
    texts > 0 ? 'subtitles' : '', format.size(file.size)].filter(Boolean).join(' · ');
}

function card(file) {
  const parts = file.path.split('/');
  const picture = make('span', { className: 'thumb' }, glyph());
  const link = make('a', { href: signed(`?media=${encodeURIComponent(file.path)}`) }, picture,
    make('span', { className: 'name', text: parts.at(-1) }),
    make('small', { text: parts.slice(0, -1).join(' / ') }),
    make('small', { className: 'details', text: detailsOf(file) }));

  link.dataset.path = file.path;
  if (file.error) link.setAttribute('aria-disabled', 'true');
  if (file.renditions?.some((r) => r.kind === 'video')) {
    const image = make('img', { alt: '', decoding: 'async', width: 320, height: 180 });
    const at = Number.isFinite(file.duration) ? file.duration * THUMB_AT : 0;
    picture.append(image);
    thumbs.show(image, signed(`${file.thumb}&t=${at.toFixed(3)}`));
  }
  if (Number.isFinite(file.duration)) {
    picture.append(make('span', { className: 'length', text: format.time(file.duration) }));
  }
  picture.append(make('span', { className: 'seen' }));
  return make('li', {}, link);
}

export class Library {
  #cards = new Map(); // path → { text, item }: what did not change stays as it is
  #limit = PAGE;
  #asked = null; // the request under way
  #timer = 0;

  total = null;

  current = null; // path of what plays

  constructor(onChange) {
    this.onChange = onChange;
    $('search').addEventListener('input', () => {
      this.#limit = PAGE;
      this.#later(TYPING);
    });
    $('search').addEventListener('keydown', (event) => {
      if (event.key === 'Escape') $('search').blur();
    });
    $('more').addEventListener('click', () => {
      this.#limit = Math.min(SHOWN_MAX, this.#limit + PAGE);
      this.refresh();
    });
    document.addEventListener('keydown', (event) => {
      if (event.key !== '/' || event.target.matches('input[type=search]') || $('library').hidden) return;
      event.preventDefault();
      $('search').select();
      $('search').focus();
    });
  }

  get count() {
    if (this.total === null) return '';
    return this.total === 1 ? '1 file' : `${this.total} files`;
  }

  #later(pause) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.refresh(), pause);
  }

  async refresh() {
    const search = $('search').value.trim();
    const query = new URLSearchParams({ limit: String(this.#limit), ...(search ? { q: search } : {}) });

    clearTimeout(this.#timer);
    this.#asked?.abort();
    const asked = new AbortController();
    this.#asked = asked;
    try {
      const answer = await fetch(signed(`media/?${query}`), { cache: 'no-cache', signal: asked.signal });
      const list = answer.ok ? await answer.json() : null;
      if (this.#asked !== asked) return;
      if (list) this.#show(list, search);
      else this.#note(`The server did not give the list (${answer.status}).`);
      if (list && !list.complete) this.#later(INCOMPLETE);
    } catch {
      // given up for a newer one, or the server is away; the next look finds it again
    }
  }

  #note(text) {
    $('library-note').textContent = text;
    $('library-note').hidden = !text;
  }

  #show({ files, total, truncated }, search) {
    const known = this.#cards;

    this.#cards = new Map(files.map((file) => {
      const text = JSON.stringify(file);
      const old = known.get(file.path);
      return [file.path, old?.text === text ? old : { text, item: card(file) }];
    }));
    const items = [...this.#cards.values()].map(({ item }) => item);
    const list = $('library-list');
    // Moving an element takes the focus from it.
    if (items.length !== list.children.length || items.some((item, i) => item !== list.children[i])) {
      list.replaceChildren(...items);
    }
    this.mark();
    $('more').hidden = files.length >= Math.min(total, SHOWN_MAX);
    if (!search) this.total = total;
    if (total === 0) this.#note(search ? `Nothing is called “${search}”.` : 'No media file in this directory yet.');
    else this.#note(truncated || total > SHOWN_MAX ? 'There are more files than are listed: search for them.' : '');
    main.dataset.files = String(files.length);
    main.dataset.found = String(total);
    this.onChange();
  }

  // What plays, and how far each has been seen.
  mark() {
    const seen = shares();

    for (const [path, { item }] of this.#cards) {
      const link = item.firstChild;
      if (path === this.current) link.setAttribute('aria-current', 'true');
      else link.removeAttribute('aria-current');
      link.querySelector('.seen').style.setProperty('--seen', `${(seen.get(path) ?? 0) * 100}%`);
    }
  }
}
