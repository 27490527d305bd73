// SPDX-License-Identifier: BSD-2-Clause
// The runs of the server's registry: what there is, how far each has come, and what plays of it.
import { $, main, make } from './dom.js';
import * as format from './format.js';
import { signed } from './signature.js';

const SHOWN = 50;
const STATES = { running: 'live', finished: 'finished', stopped: 'stopped', failed: 'failed' };

export const addressOf = (id) => `runs/${encodeURIComponent(id)}/master.m3u8`;

// The best picture, or the best sound where there is none.
function bestOf(renditions) {
  const rate = (r) => r.average_bitrate ?? r.bitrate ?? 0;
  const pictures = renditions.filter((r) => r.kind === 'video');
  return (pictures.length > 0 ? pictures : renditions).toSorted((a, b) => rate(b) - rate(a))[0];
}

function secondsOf(rendition) {
  const [num, den] = rendition.timebase.split('/').map(Number);
  return (rendition.end * num) / den;
}

function detailsOf(run) {
  const best = bestOf(run.renditions ?? []);

  if (!best) return run.error ?? '';
  return [best.width ? `${best.width} × ${best.height}` : '',
    format.bitrate(best.average_bitrate ?? best.bitrate), format.time(secondsOf(best)),
    run.error].filter(Boolean).join(' · ');
}

export class Runs {
  #known = new Map(); // id → the run with its renditions, as it was when it was looked at

  #events = null; // of the run that plays

  list = [];

  onChange = () => {};

  async refresh() {
    try {
      const answer = await fetch(signed(`runs?limit=${SHOWN}`), { cache: 'no-store' });
      if (!answer.ok) return;
      const { runs } = await answer.json();
      const known = this.#known;
      this.#known = new Map();
      this.list = await Promise.all(runs.map(async (run) => {
        const old = known.get(run.id);
        const fresh = old?.revision === run.revision && old.state === run.state
          ? { ...old, alive: run.alive } : await this.#look(run);
        this.#known.set(run.id, fresh);
        return fresh;
      }));
    } catch {
      // the server is away; the next look finds it again
    }
  }

  async #look(run) {
    const answer = await fetch(signed(`runs/${encodeURIComponent(run.id)}`), { cache: 'no-store' });
    return answer.ok ? answer.json() : run;
  }

  get count() {
    return this.list.length === 1 ? '1 run' : `${this.list.length} runs`;
  }

  stateOf(id) {
    return this.list.find((run) => run.id === id)?.state;
  }

  // What happens to one run is told as it happens.
  follow(id) {
    this.#events?.close();
    this.#events = null;
    delete main.dataset.run;
    delete main.dataset.runState;
    if (!id) return;
    main.dataset.run = id;
    main.dataset.runState = this.stateOf(id) ?? '';
    this.#events = new EventSource(signed(`runs/${encodeURIComponent(id)}/events`));
    this.#events.addEventListener('run', (event) => {
      const run = JSON.parse(event.data);
      this.list = this.list.map((other) => (other.id === run.id ? run : other));
      this.#known.set(run.id, run);
      main.dataset.runState = run.state;
      main.dataset.runRevision = String(run.revision);
      if (run.state === 'finished') this.#events?.close();
      this.onChange();
    });
  }

  show(current) {
    const items = this.list.map((run) => {
      const state = run.state === 'running' && run.alive === false ? 'interrupted' : STATES[run.state];
      const mark = make('span', { className: 'state', text: state ?? run.state });
      const link = make('a', { href: signed(`?run=${encodeURIComponent(run.id)}`) },
        make('span', { text: run.id }, ' ', mark),
        make('small', { text: [detailsOf(run), format.ago(run.created / 1e6)].filter(Boolean).join(' · ') }));

      mark.dataset.state = state ?? '';
      link.dataset.run = run.id;
      if (run.id === current) link.setAttribute('aria-current', 'true');
      return make('li', {}, link);
    });

    $('runs-list').replaceChildren(...items);
    $('runs-empty').hidden = items.length > 0;
    main.dataset.runs = String(items.length);
  }
}
