  // A tokenizer in plain functions; nothing here knows of a page. Names and order are those of minibert/tokenization,
  // and a test compares ids, tokens and offsets with the package's.
  //
  // Python counts a text in characters, JavaScript in halves of UTF-16. So texts are lists of characters below, as
  // `charactersOf` makes them, and every place is a place in such a list.

  const SPACE = /\p{White_Space}/u;
  const MARK = /\p{Mn}/u;
  const PUNCTUATION = /[\p{P}$+<=>^`|~]/u; // eight signs are symbols to Unicode and punctuation to BERT
  const DROPPED = /[\p{Cc}\p{Cf}\p{Co}\ufffd]/u;
  const BLANK = /[\t\n\r\p{Zs}\p{Zl}\p{Zp}]/u;
  const CHINESE = [[0x4e00, 0x9fff], [0x3400, 0x4dbf], [0x20000, 0x2a6df], [0x2a700, 0x2b73f], [0x2b740, 0x2b81f],
    [0x2b920, 0x2ceaf], [0xf900, 0xfaff], [0x2f800, 0x2fa1f]];
  const utf8 = new TextEncoder();

  // The patterns as the model files have them, but for two things: JavaScript's \s is not Unicode's white space, and
  // the letters of a contraction are spelled out where any case counts (the long s is an s to Unicode).
  const W = "\\p{White_Space}\\x1c-\\x1f", L = "\\p{L}", N = "\\p{N}";
  const PATTERNS = {
    gpt2: `'s|'t|'re|'ve|'m|'ll|'d| ?${L}+| ?${N}+| ?[^${W}${L}${N}]+|[${W}]+(?![^${W}])|[${W}]+`,
    llama3: `'(?:[sS\u017f]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])|[^\\r\\n${L}${N}]?${L}+|${N}{1,3}`
      + `| ?[^${W}${L}${N}]+[\\r\\n]*|[${W}]*[\\r\\n]+|[${W}]+(?![^${W}])|[${W}]+`,
  };

  // ---- characters, and BERT's normaliser

  /** The characters of a text; half of a pair of UTF-16 is no character. */
  function charactersOf(text) {
    return Array.from(text, (char) => (/\p{Cs}/u.test(char) ? "\ufffd" : char));
  }

  /** Unicode's form NFD: [character, change] pairs; change 1 is a character that was inserted after another. */
  function decompose(chars) {
    const parts = chars.flatMap((char) => Array.from(char.normalize("NFD"), (part, at) => [part, at > 0 ? 1 : 0]));
    const sorted = Array.from(chars.join("").normalize("NFD")); // neighbouring marks in Unicode's order
    return sorted.map((char) => parts.splice(parts.findIndex(([part]) => part === char), 1)[0]);
  }

  /** For each pair of `decompose` the place of the character it comes from. */
  function originsOf(pairs) {
    let taken = 0;
    return pairs.map(([, change]) => (change > 0 ? Math.max(taken - 1, 0) : taken++));
  }

  /** Clean, space out Chinese, take accents off, lower case: the new characters and where each comes from. */
  function normalizeBert(chars, rules) {
    const clean = (char) => {
      if (rules.clean && BLANK.test(char)) return " ";
      if (rules.clean && DROPPED.test(char)) return "";
      const code = char.codePointAt(0);
      return rules.chinese && CHINESE.some(([low, high]) => low <= code && code <= high) ? ` ${char} ` : char;
    };
    let found = chars.flatMap((char, place) => Array.from(clean(char), (out) => [out, place]));
    if (rules.strip) {
      const pairs = decompose(found.map(([char]) => char));
      const origins = originsOf(pairs);
      found = pairs.map(([char], at) => [char, found[origins[at]][1]]).filter(([char]) => !MARK.test(char));
    }
    if (rules.lower) found = found.flatMap(([char, place]) => Array.from(char.toLowerCase(), (out) => [out, place]));
    return { chars: found.map(([char]) => char), origins: found.map(([, place]) => place) };
  }

  // ---- words

  /** [start, stop] of BERT's words: white space separates, every punctuation mark stands alone. */
  function bertSpans(chars) {
    const spans = [];
    let start = 0;
    for (let at = 0; at <= chars.length; at++) {
      const alone = at < chars.length && PUNCTUATION.test(chars[at]);
      if (at < chars.length && !alone && !SPACE.test(chars[at])) continue;
      if (at > start) spans.push([start, at]);
      if (alone) spans.push([at, at + 1]);
      start = at + 1;
    }
    return spans;
  }

  /** [start, stop] of the words of GPT-2's or Llama-3's pattern; together they are the text. */
  function byteLevelSpans(chars, pattern) {
    let start = 0;
    return (chars.join("").match(new RegExp(PATTERNS[pattern], "gu")) || []).map((word) => {
      const span = [start, start + Array.from(word).length];
      start = span[1];
      return span;
    });
  }

  /** The byte alphabet of GPT-2: visible bytes stand for themselves, the others for the characters from U+0100 on. */
  const BYTE_CHARS = (() => {
    let hidden = 0x100;
    const visible = (byte) => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(visible(byte) ? byte : hidden++));
  })();

  // ---- words to pieces, with the steps that lead there

  /** The longest piece that fits, from the left. A step says what was tried, and where the piece ends. */
  function greedySteps(chars, tok) {
    const pieces = [], steps = [];
    let stuck = chars.length > tok.maxChars;
    for (let start = 0, stop; start < chars.length && !stuck; start = stop) {
      const tried = [];
      for (stop = Math.min(chars.length, start + tok.longest); stop > start; stop--) {
        const piece = (start ? tok.prefix : "") + chars.slice(start, stop).join("");
        tried.push(piece);
        if (tok.idOf.has(piece)) break;
      }
      stuck = stop === start;
      steps.push({ start, stop, tried });
      if (!stuck) pieces.push([tok.idOf.get(tried.at(-1)), start, stop]);
    }
    return { pieces: stuck ? [[tok.unknown, 0, chars.length]] : pieces, steps };
  }

  /** Join the neighbours that were learnt earliest, the leftmost of equals, again and again. A step is one merge. */
  function mergeSteps(symbols, ranks) {
    const steps = [];
    symbols = [...symbols];
    for (;;) {
      let best = Infinity, place = -1;
      for (let at = 0; at + 1 < symbols.length; at++) {
        const rank = ranks.get(`${symbols[at]} ${symbols[at + 1]}`);
        if (rank < best) [best, place] = [rank, at];
      }
      if (place < 0) return { symbols, steps };
      symbols.splice(place, 2, symbols[place] + symbols[place + 1]);
      steps.push({ rank: best, place, symbols: [...symbols] });
    }
  }

  /** The pieces of one word: [id, start, stop] in its characters, and the steps. */
  function piecesOf(chars, tok) {
    if (tok.kind === "WordPiece") return greedySteps(chars, tok);
    const bytes = chars.flatMap((char, place) => Array.from(utf8.encode(char), (byte) => [BYTE_CHARS[byte], place]));
    const alphabet = bytes.map(([char]) => char);
    const whole = tok.wholeWords && tok.idOf.has(alphabet.join(""));
    const { symbols, steps } = whole ? { symbols: [alphabet.join("")], steps: [] } : mergeSteps(alphabet, tok.ranks);
    let start = 0; // a character may be several bytes, and a token may end inside of it: both then have its place
    const pieces = symbols.map((symbol) => {
      const first = bytes[start][1];
      start += symbol.length; // one character of the byte alphabet is one byte
      return [tok.idOf.get(symbol), first, bytes[start - 1][1] + 1];
    });
    return { pieces, steps, alphabet };
  }

  // ---- a whole text

  /** Make a tokenizer ready from the data that `tokenizer_data` of tokenizer_view.py writes. */
  function openTokenizer(data) {
    const tok = { ...data, idOf: new Map() };
    data.tokens.forEach((token, id) => { if (token !== null) tok.idOf.set(token, id); });
    tok.longest = Math.max(...data.tokens.map((token) => (token === null ? 0 : Array.from(token).length)));
    if (data.kind === "BPE") {
      const pair = ([left, right]) => `${data.tokens[left]} ${data.tokens[right]}`;
      tok.ranks = new Map(data.merges.map((merge, rank) => [pair(merge), rank]));
    }
    return tok;
  }

  /** Cut at added tokens such as [MASK]: {start, stop, id}; the id is null for the text between them. */
  function splitAtAdded(chars, added) {
    const found = [];
    let done = 0;
    const textTo = (stop) => { if (stop > done) found.push({ start: done, stop, id: null }); };
    for (let at = 0; at < chars.length;) {
      const here = added.filter(({ content }) => content.every((char, n) => char === chars[at + n]));
      if (!here.length) { at++; continue; }
      const token = here.reduce((one, other) => (other.content.length > one.content.length ? other : one));
      let start = at, stop = at + token.content.length;
      while (token.lstrip && start > done && SPACE.test(chars[start - 1])) start--;
      while (token.rstrip && stop < chars.length && SPACE.test(chars[stop])) stop++;
      textTo(start);
      found.push({ start, stop, id: token.id });
      at = done = stop;
    }
    textTo(chars.length);
    return found;
  }

  /** Leave the spaces at the ends of a byte-level token out of its place. */
  function trimSpaces(token, [start, stop]) {
    const blank = (char) => char === BYTE_CHARS[32] || SPACE.test(char);
    const chars = Array.from(token);
    let leading = 0, trailing = 0;
    while (leading < chars.length && blank(chars[leading])) leading++;
    while (trailing < chars.length && blank(chars[chars.length - 1 - trailing])) trailing++;
    start = Math.min(start + leading, stop);
    return [start, trailing && stop >= trailing ? Math.max(stop - trailing, start) : stop];
  }

  /** A text as tokens, with the words and steps that they come from: {id, token, start, stop, word} and words. */
  function encode(tok, text) {
    const chars = charactersOf(text);
    const tokens = [], words = [];
    const add = (id, shown, span, word) => {
      const [start, stop] = tok.trim ? trimSpaces(shown, span) : span;
      tokens.push({ id, token: tok.tokens[id], start, stop, word });
    };
    const template = (ids) => ids.forEach((id) => tokens.push({ id, token: tok.tokens[id], start: 0, stop: 0, word: null }));
    const added = tok.added.map((token) => ({ ...token, content: Array.from(token.content) }));
    template(tok.before);
    for (const part of splitAtAdded(chars, added)) {
      const inside = chars.slice(part.start, part.stop);
      if (part.id !== null) {
        add(part.id, inside.join(""), [part.start, part.stop], null);
        continue;
      }
      const { chars: normal, origins } = tok.kind === "WordPiece" ? normalizeBert(inside, tok.normalizer)
        : { chars: inside, origins: inside.map((_, place) => place) };
      const spans = tok.kind === "WordPiece" ? bertSpans(normal) : byteLevelSpans(normal, tok.pattern);
      for (const [start, stop] of spans) {
        const found = piecesOf(normal.slice(start, stop), tok);
        for (const [id, first, last] of found.pieces) {
          const span = [part.start + origins[start + first], part.start + origins[start + last - 1] + 1];
          add(id, tok.tokens[id], span, words.length);
        }
        words.push({ chars: normal.slice(start, stop), ...found });
      }
    }
    template(tok.after);
    return { tokens, words, chars };
  }
