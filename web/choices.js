// SPDX-License-Identifier: BSD-2-Clause
// What may be chosen of the thing that plays: rungs, sounds, subtitles.
import { $, main, make } from './dom.js';
import * as format from './format.js';

function radio(name, value, label, detail, checked) {
  const input = make('input', { type: 'radio', name, value: String(value), checked });
  const text = make('span', { text: label });

  if (detail) text.append(' ', make('small', { text: detail }));
  return make('label', {}, input, text);
}

// Highest first. Indices are hls.js's, which sorts by rate.
export function showRungs({ levels, chosen }) {
  const names = format.rungNames(levels);
  const order = levels.map((_, i) => i).sort((a, b) => levels[b].bitrate - levels[a].bitrate);
  const choice = (i) => {
    const { width, height, bitrate } = levels[i];
    return [i, names[i], [width && height ? `${width}×${height}` : '', format.bitrate(bitrate)]
      .filter(Boolean).join(', ')];
  };
  const all = [[-1, 'Auto', 'by the connection'], ...order.map(choice)];

  main.dataset.levels = String(levels.length);
  $('rungs').hidden = levels.length === 0;
  $('rung-list').replaceChildren(...all.map(([value, label, detail]) => {
    const item = radio('rung', value, label, detail, value === chosen);
    if (value >= 0) item.dataset.width = String(levels[value].width ?? 0);
    if (value >= 0) item.dataset.height = String(levels[value].height ?? 0);
    return item;
  }));
  $('menu').disabled = levels.length === 0;
  $('menu').replaceChildren(...all.map(([value, text]) =>
    make('option', { text, value: String(value), selected: value === chosen })));
}

export function markRung(player) {
  const chosen = String(player.chosen);
  for (const input of document.querySelectorAll('input[name=rung]')) {
    input.checked = input.value === chosen;
    input.parentElement.classList.toggle('shown', Number(input.value) === player.current);
  }
  $('menu').value = chosen;
}

const trackName = (track, i, kind) => track.name || format.language(track.lang) || `${kind} ${i + 1}`;

export function showSounds({ sounds, sound }) {
  main.dataset.sounds = String(sounds.length);
  main.dataset.sound = String(sound);
  $('sounds').hidden = sounds.length < 2;
  $('sound-list').replaceChildren(...sounds.map((track, i) => radio('sound', i,
    trackName(track, i, 'Sound'), format.language(track.lang), i === sound)));
}

export function showTexts({ texts, text }) {
  const tracks = texts.map((track, i) =>
    [i, trackName(track, i, 'Subtitles'), format.language(track.lang)]);

  main.dataset.texts = String(texts.length);
  main.dataset.text = String(text);
  $('texts').hidden = texts.length === 0;
  $('text-list').replaceChildren(...[[-1, 'Off', ''], ...tracks].map(([i, name, detail]) =>
    radio('text', i, name, detail, i === text)));
}
