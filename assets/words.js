// The page's second language: a catalog in the head translates what is read, and never what is scored.
// Text under translate="no", in fields and in editors stays as it is; the English is kept beside, so the way back is exact.
(() => {
  const ATTRIBUTES = ['title', 'aria-label', 'placeholder', 'alt'], READ = new Set(ATTRIBUTES);
  const SHUT = 'script,style,textarea,input,select,code,pre,kbd,[contenteditable],.cm-editor,[role=listbox]';
  const SHUT_TAGS = new Set('TEXTAREA INPUT SELECT CODE PRE KBD'.split(' ')); // the same, quicker to ask of every element
  const SLOT = /\{(\d+)(t?)\}/g;
  const MOST = 5000; // translations remembered
  const SHORT = 8; // characters of a pattern's own
  const WORDY = /[A-Za-z]{2}/;
  const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
  const DATE = new RegExp(`^(\\d{1,2}) (${MONTHS.join('|')})(?: (\\d{4}))?,? (\\d\\d:\\d\\d)$`);

  // ---------------------------------------------------------------- the catalog
  let exact = new Map(), byWord = new Map(), loose = [], known = new Map();
  const quoted = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const short = (entry) => entry.size < SHORT && entry.key.startsWith('{}');
  const pattern = (entry) => { // with so few words of its own, a pattern takes numbers alone, or what the catalog knows
    const parts = entry.key.split('{}'), few = short(entry) && !/\dt\}/.test(entry.other);
    const slot = (next) => (few || /^ [a-z ]+\(s\)/.test(next) ? '([\\d.,–+−-]+)' : '([^]+?)'); // rows and tokens are counted
    return new RegExp(`^${parts.map((part, at) => (at ? slot(part) : '') + part.split('(s)').map(quoted).join('s?')).join('')}$`);
  };
  const anchor = (key) => { // the longest word that stands whole in whatever the pattern matches
    const words = key.replace(/[A-Za-z]*(\{\}|\(s\))[A-Za-z]*/g, ' {} ').match(/[A-Za-z]+/g) ?? [];
    return words.sort((a, b) => b.length - a.length)[0];
  };
  const load = (entries) => {
    for (const [english, other] of Object.entries(entries)) {
      if (!english.includes('{}') && !english.includes('(s)')) { exact.set(english, other); continue; }
      const entry = {key: english, other, size: english.replaceAll('{}', '').length, made: null};
      const word = anchor(english);
      if (!word) loose.push(entry);
      else if (byWord.has(word)) byWord.get(word).push(entry);
      else byWord.set(word, [entry]);
    }
  };
  const matched = (text) => { // the pattern with the most words of its own wins
    let best = null, found = null;
    const lists = (text.match(/[A-Za-z]+/g) ?? []).map((word) => byWord.get(word) ?? []);
    for (const list of [...new Set(lists), loose]) for (const entry of list) {
      if (best && entry.size <= best.size) continue;
      const match = (entry.made ??= pattern(entry)).exec(text);
      if (!match || (short(entry) && [...entry.other.matchAll(SLOT)].some(([, at, own]) => own && !told(match[at])))) continue;
      best = entry;
      found = match;
    }
    return best && best.other.replace(SLOT, (_, at, own) => (own ? told(found[at]) ?? found[at] : found[at]));
  };

  // ---------------------------------------------------------------- one text
  const dated = (text) => {
    const [, day, month, year, time] = DATE.exec(text) ?? [];
    return day ? `${year ? `${year}年` : ''}${MONTHS.indexOf(month) + 1}月${Number(day)}日 ${time}` : null;
  };
  const whole = (text) => {
    const found = exact.get(text) ?? dated(text);
    if (found || !text.endsWith('.')) return found ?? matched(text);
    const stopped = exact.get(text.slice(0, -1)) ?? matched(text) ?? matched(text.slice(0, -1));
    return stopped && (/[。.]$/.test(stopped) ? stopped : `${stopped}。`);
  };
  const SIGNS = {',': '，', ':': '：', ';': '；', '.': '。', '(': '（', ')': '）'};
  const FRONT = /^(?:[\s.,;:·•→✓✕…()–—▸◂×↕=]+)/, BEHIND = /(?:[\s,;:·.…()]+)$/;
  const signs = (text) => text.replace(/[,:;.()] ?/g, (sign) => SIGNS[sign[0]]);
  const peeled = (text) => { // a list's commas, a finding's mark, the full stop that a caller added
    const front = FRONT.exec(text)?.[0] ?? '', behind = BEHIND.exec(text.slice(front.length))?.[0] ?? '';
    const bare = text.slice(front.length, text.length - behind.length);
    const found = bare && bare !== text && whole(bare);
    return found ? signs(front) + found + signs(behind) : null;
  };
  const sentences = (text) => { // one sentence after another, the longest run that the catalog knows first
    const parts = text.split(/(?<=[.!?。？！](?:['")”])?) +/);
    if (parts.length < 2 || parts.length > 12) return null;
    let out = '', hits = 0;
    for (let at = 0; at < parts.length;) {
      let end = parts.length, found = null;
      for (; end > at; end--) {
        const piece = parts.slice(at, end).join(' ');
        found = piece === text ? null : whole(piece) ?? peeled(piece) ?? (end === at + 1 ? placed(piece) : null);
        if (found) break;
      }
      if (found) hits += 1;
      out += found ?? `${parts[at]} `;
      at = found ? end : at + 1;
    }
    return hits ? out.trimEnd() : null;
  };
  const placed = (text) => { // place: message
    for (let at = text.indexOf(': '), tries = 0; at > 0 && tries < 4; at = text.indexOf(': ', at + 2), tries++) {
      const rest = text.slice(at + 2), found = whole(rest) ?? peeled(rest) ?? sentences(rest);
      if (found) return `${exact.get(text.slice(0, at)) ?? text.slice(0, at)}：${found}`;
    }
    return null;
  };
  const listed = (text, sign) => {
    if (!text.includes(sign)) return null;
    const parts = text.split(sign), found = parts.map((part) => (WORDY.test(part) ? whole(part) ?? peeled(part) : part));
    return found.some((part, at) => part && part !== parts[at]) ? found.map((part, at) => part ?? parts[at]).join(sign) : null;
  };
  const told = (text) => { // null where the catalog has no word for it
    if (!WORDY.test(text)) return null;
    if (known.has(text)) return known.get(text);
    if (known.size > MOST) known.clear();
    const found = whole(text) ?? peeled(text) ?? listed(text, ' · ') ?? sentences(text) ?? placed(text) ?? listed(text, '; ');
    known.set(text, found);
    return found;
  };
  const spaced = (text) => { // blanks around a text stay, inside it they count as one
    if (!WORDY.test(text)) return null;
    const core = text.trim(), found = told(core.replace(/\s+/g, ' '));
    if (found === null) return null;
    const start = text.indexOf(core);
    return text.slice(0, start) + found + text.slice(start + core.length);
  };

  // ---------------------------------------------------------------- the page
  const before = new WeakMap(); // text node → {was, now}; element → {attribute: {was, now}}
  let chinese = false;
  const open = (element) => {
    const mark = element.closest('[translate]');
    const shut = element.closest(SHUT);
    return !(mark?.getAttribute('translate') === 'no') && !(shut && (!mark || !shut.contains(mark) || shut === mark));
  };
  const text = (node) => {
    const old = before.get(node);
    if (old?.now === node.nodeValue) return;
    const was = node.nodeValue, now = spaced(was);
    if (now === null || now === was) { if (old) before.delete(node); return; }
    before.set(node, {was, now});
    node.nodeValue = now;
  };
  const attribute = (element, name) => {
    const was = element.getAttribute(name), all = before.get(element);
    if (!was || all?.[name]?.now === was) return;
    const now = spaced(was);
    if (now === null || now === was) { if (all) delete all[name]; return; }
    before.set(element, {...all, [name]: {was, now}});
    element.setAttribute(name, now);
  };
  const attributes = (element) => { // none comes or goes while this walks, only values change
    const all = element.attributes;
    for (let at = 0; at < all.length; at++) if (READ.has(all[at].name)) attribute(element, all[at].name);
  };
  const BOXES = new Set(['DIV', 'UL']); // what an editor and a menu are made of
  const shut = (element) => SHUT_TAGS.has(element.nodeName) || (BOXES.has(element.nodeName) && element.matches(SHUT));
  const said = (element) => { // a sentence with foreign words in <code>: whole, so that its order may change around them
    if ([...element.childNodes].some((n) => n.nodeType !== 3 && n.nodeName !== 'CODE')) return false;
    const codes = [...element.children];
    if (!codes.length || before.get(element.firstChild)?.said) return Boolean(codes.length);
    const whole = [...element.childNodes].map((n) => (n.nodeType === 3 ? n.nodeValue : `\`${n.textContent}\``)).join('');
    const found = told(whole)?.split(/`[^`]*`/);
    if (!found || found.length !== codes.length + 1) return false;
    for (let at = 0; at < found.length; at++) {
      let node = at < codes.length ? codes[at].previousSibling : codes[at - 1].nextSibling;
      if (!node || node.nodeType !== 3) {
        node = document.createTextNode('');
        if (at < codes.length) codes[at].before(node);
        else codes[at - 1].after(node);
      }
      before.set(node, {was: node.nodeValue, now: found[at], said: true});
      node.nodeValue = found[at];
    }
    return true;
  };
  const walk = (node, on) => {
    if (node.nodeType === 3) { if (on) text(node); return; }
    const tag = node.nodeName;
    if (node.nodeType !== 1 || tag === 'SCRIPT' || tag === 'STYLE') return;
    const mark = node.getAttribute('translate');
    const here = mark === 'yes' || (on && mark !== 'no');
    const hint = on && (tag === 'INPUT' || tag === 'TEXTAREA'); // a field's name and hint are ours
    if (here || hint || node.hasAttribute('data-ours')) attributes(node);
    if (!here || shut(node)) { // nothing in it but what says that it is ours
      for (const own of node.querySelectorAll('[translate=yes]')) walk(own, true);
      for (const own of node.querySelectorAll('[data-ours]')) attributes(own); // a hint of ours on foreign text
      return;
    }
    if (node.className === 'said' && said(node)) return;
    for (let child = node.firstChild; child; child = child.nextSibling) walk(child, true);
  };
  const back = (node) => {
    const old = before.get(node);
    if (old && node.nodeType === 3) { if (node.nodeValue === old.now) node.nodeValue = old.was; }
    else if (old) for (const [name, {was, now}] of Object.entries(old)) if (node.getAttribute(name) === now) node.setAttribute(name, was);
    if (old) before.delete(node);
    for (let child = node.firstChild; child; child = child.nextSibling) back(child);
  };

  const observer = new MutationObserver((records) => {
    for (const record of records) {
      const node = record.target;
      if (!node.isConnected) continue;
      if (record.type === 'childList') {
        if (record.addedNodes.length && open(node)) {
          for (const child of record.addedNodes) if (child.isConnected) walk(child, true);
        } else for (const child of record.addedNodes) if (child.isConnected && child.nodeType === 1) walk(child, false);
      } else if (record.type === 'characterData') {
        if (node.parentElement && open(node.parentElement) && !before.get(node)?.said) text(node);
      } else if (open(node) || node.hasAttribute('data-ours') || (node.matches('input,textarea') && open(node.parentElement))) attribute(node, record.attributeName);
    }
    observer.takeRecords(); // what was just written is no news
  });
  const watched = {childList: true, characterData: true, attributes: true, attributeFilter: ATTRIBUTES, subtree: true};

  // ---------------------------------------------------------------- the switch
  const wanted = () => {
    const asked = new URLSearchParams(location.search).get('lang') ?? localStorage.getItem('lang') ?? navigator.language;
    return asked.toLowerCase().startsWith('zh');
  };
  const pill = () => {
    for (const button of document.querySelectorAll('[data-language-switch]')) {
      const name = chinese ? 'English' : '中文';
      if (button.textContent !== name) button.textContent = name;
      button.lang = chinese ? 'en' : 'zh-CN';
    }
  };
  const speak = (other) => {
    chinese = other;
    document.documentElement.lang = other ? 'zh-CN' : 'en';
    if (other) {
      if (!exact.size) load(JSON.parse(document.getElementById('words-zh')?.textContent ?? '{}'));
      walk(document.body, true);
      observer.observe(document.body, watched);
    } else {
      observer.disconnect();
      back(document.body);
    }
    pill();
    document.dispatchEvent(new Event('language'));
  };
  document.addEventListener('click', (event) => {
    if (!event.target.closest?.('[data-language-switch]')) return;
    localStorage.setItem('lang', chinese ? 'en' : 'zh');
    const url = new URL(location.href);
    if (url.searchParams.has('lang')) { url.searchParams.delete('lang'); history.replaceState(null, '', url); }
    speak(!chinese);
  });
  window.translated = (text) => (chinese ? spaced(text) : null) ?? text;
  const begin = () => {
    speak(wanted());
    new MutationObserver((_, own) => { // the bar comes with Gradio's first drawing
      if (!document.querySelector('[data-language-switch]')) return;
      pill();
      own.disconnect();
    }).observe(document.body, {childList: true, subtree: true});
  };
  if (document.body) begin();
  else document.addEventListener('DOMContentLoaded', begin);
})();
