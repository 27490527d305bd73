// SPDX-License-Identifier: BSD-2-Clause
// The list of ladders, and what else the server says about itself in the same answer.
import { $, main, make } from './dom.js';
import * as format from './format.js';
import { signed } from './signature.js';

export class Ladders {
  list = [];

  library = false; // whether the server has one

  runs = false; // whether it knows of runs

  refused = false; // it takes a signed link, or one that has not expired

  async refresh() {
    try {
      const answer = await fetch(signed('_sluice/ladders.json'), { cache: 'no-store' });
      this.refused = [403, 410].includes(answer.status);
      if (!answer.ok) return;
      const { ladders, library, runs } = await answer.json();
      this.list = ladders;
      this.library = library === true;
      this.runs = runs === true;
    } catch {
      // the server is away; the next look finds it again
    }
  }

  get newest() {
    return [...this.list].sort((a, b) => b.modified - a.modified)[0];
  }

  get count() {
    return this.list.length === 1 ? '1 ladder' : `${this.list.length} ladders`;
  }

  show(address) {
    const items = this.list.map((ladder) => {
      const parts = ladder.path.split('/');
      const where = [parts.slice(0, -1).join('/'), format.ago(ladder.modified)];
      const link = make('a', { href: signed(`?ladder=${encodeURIComponent(ladder.url)}`) },
        make('span', { text: parts.at(-1) || 'This directory' }),
        make('small', { text: where.filter(Boolean).join(' · ') }));

      link.dataset.ladder = ladder.url;
      if (ladder.url === address) link.setAttribute('aria-current', 'true');
      return make('li', {}, link);
    });

    $('ladders').replaceChildren(...items);
    $('empty').hidden = items.length > 0 || this.refused;
    $('refused').hidden = !this.refused;
    $('ladder-nav').hidden = (this.library || this.runs) && items.length === 0;
    main.dataset.ladders = String(items.length);
  }
}
