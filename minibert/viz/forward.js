/* The forward pass of BERT, ModernBERT, EuroBERT and their relatives: minibert/one_page.py in another language.

   Functions and names are those of one_page.py; there is one text and no padding. `config` has the fields of
   EncoderConfig. `weights` maps a name to { data: Float32Array, shape: [rows, columns] }. A vector for each token is
   one Float32Array of T times D numbers: token t owns the numbers from t * D to (t + 1) * D.

   Letters: T tokens, D width, H heads, G key/value heads, K size of a head, F inside the feed-forward layer,
   V vocabulary. `seen`, where it is given, collects what the page draws: queries, keys and attention weights. */

// The hidden states, the embeddings first: config.layers + 1 arrays of T * D, and one more if there is a final norm.
function encode(weights, config, ids, segments, seen = []) {
  const D = config.hidden, T = ids.length, x = new Float32Array(T * D);
  const add = (name, row, t) => {
    const table = weights[name].data;
    for (let d = 0; d < D; d++) x[t * D + d] += table[row * D + d];
  };
  for (let t = 0; t < T; t++) {
    add("embeddings.token.weight", ids[t], t);
    if (config.position === "learned") add("embeddings.position.weight", t + config.position_offset, t);
    if (config.segments) add("embeddings.segment.weight", segments ? segments[t] : 0, t);
  }
  const states = [config.embed_norm ? norm(x, weights, "embeddings.norm", config) : x];
  for (let layer = 0; layer < config.layers; layer++) {
    seen.push({});
    states.push(block(states[layer], weights, config, layer, seen[layer]));
  }
  if (config.final_norm) states.push(norm(states[config.layers], weights, "final_norm", config));
  return states;
}

// One layer: attention, then feed-forward; the input of each is added to its output.
function block(x, weights, config, layer, seen) {
  const own = `blocks.${layer}.`;
  if (config.norm_placement === "post") { // BERT: add, then normalize
    x = norm(sum(x, attention(x, weights, config, layer, seen)), weights, own + "attention_norm", config);
    return norm(sum(x, feedForward(x, weights, config, own)), weights, own + "feed_forward_norm", config);
  }
  const skip = layer === 0 && config.skip_first_attn_norm; // ModernBERT: the embeddings are normalized already
  const normed = skip ? x : norm(x, weights, own + "attention_norm", config);
  x = sum(x, attention(normed, weights, config, layer, seen));
  return sum(x, feedForward(norm(x, weights, own + "feed_forward_norm", config), weights, config, own));
}

// Each token takes a weighted mean of the values of the tokens that it sees.
function attention(x, weights, config, layer, seen) {
  const own = `blocks.${layer}.attention.`, D = config.hidden, T = x.length / D;
  const H = config.heads, G = config.kv_heads ?? H, K = D / H, wide = (H + 2 * G) * K;
  const projected = linear(x, weights, own + "query_key_value"); // a row: H queries, G keys, G values
  const global = config.layer_types[layer % config.layer_types.length] === "global";
  const theta = global ? config.rope_theta : config.rope_theta_local;
  if (theta !== null) for (let t = 0; t < T; t++) rotate(projected, t * wide, H + G, K, t, theta);
  const reach = global ? T : Math.floor(config.local_window / 2);
  const mixed = new Float32Array(T * D), maps = [];
  for (let h = 0; h < H; h++) {
    const take = (head) => part(projected, wide, head * K, K), group = Math.floor((h * G) / H);
    const query = take(h), key = take(H + group), value = take(H + G + group);
    const kept = new Float32Array(T * T), row = new Float64Array(T), sums = new Float64Array(K);
    for (let i = 0; i < T; i++) {
      const first = Math.max(0, i - reach), last = Math.min(T - 1, i + reach);
      let highest = -Infinity, total = 0;
      for (let j = first; j <= last; j++) {
        let score = 0;
        for (let k = 0; k < K; k++) score += query[i * K + k] * key[j * K + k];
        row[j] = score / Math.sqrt(K);
        if (row[j] > highest) highest = row[j];
      }
      for (let j = first; j <= last; j++) total += row[j] = Math.exp(row[j] - highest);
      sums.fill(0);
      for (let j = first; j <= last; j++) {
        const weight = (kept[i * T + j] = row[j] / total); // the attention weights of row i sum to 1
        for (let k = 0; k < K; k++) sums[k] += weight * value[j * K + k];
      }
      mixed.set(sums, i * D + h * K);
    }
    maps.push(kept);
  }
  Object.assign(seen, { maps, projected, H, G, K });
  return linear(mixed, weights, own + "output");
}

// Columns first to first + count of a matrix whose rows are `wide`.
function part(matrix, wide, first, count) {
  const rows = matrix.length / wide, taken = new Float32Array(rows * count);
  for (let t = 0; t < rows; t++) taken.set(matrix.subarray(t * wide + first, t * wide + first + count), t * count);
  return taken;
}

// RoPE: rotate each pair of channels (k, k + K / 2) of `heads` heads by position * theta^(-2k / K), in place.
function rotate(x, start, heads, K, position, theta) {
  for (let k = 0; k < K / 2; k++) {
    const angle = position * theta ** ((-2 * k) / K), cos = Math.cos(angle), sin = Math.sin(angle);
    for (let h = 0; h < heads; h++) {
      const a = start + h * K + k, b = a + K / 2, first = x[a], second = x[b];
      x[a] = first * cos - second * sin;
      x[b] = second * cos + first * sin;
    }
  }
}

// Two linear layers with an activation between them, for each token alone.
function feedForward(x, weights, config, own) {
  if (config.mlp !== "glu") {
    const inner = linear(x, weights, own + "feed_forward.input");
    return linear(inner.map(activation(config.act)), weights, own + "feed_forward.output");
  }
  const both = linear(x, weights, own + "feed_forward.gate_up"), F = config.intermediate;
  const act = activation(config.act), inner = new Float32Array(both.length / 2);
  for (let n = 0; n < inner.length; n++) {
    const gate = Math.floor(n / F) * 2 * F + (n % F);
    inner[n] = act(both[gate]) * both[gate + F];
  }
  return linear(inner, weights, own + "feed_forward.output");
}

// The non-linear function of each number: silu(x) = x * sigmoid(x), gelu(x) = x * P(a normal variable < x).
function activation(name) {
  if (name === "silu") return (x) => x / (1 + Math.exp(-x));
  if (name === "relu") return (x) => Math.max(x, 0);
  if (name === "gelu_tanh") return (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
  return (x) => 0.5 * x * (1 + erf(x / Math.SQRT2));
}

// The error function, which JavaScript lacks: read off a table with steps of 1/1024, to 1.3e-7.
function erf(x) {
  const far = Math.abs(x) * STEPS, low = Math.floor(far);
  if (far >= 6 * STEPS) return Math.sign(x);
  return Math.sign(x) * (ERF[low] + (far - low) * (ERF[low + 1] - ERF[low]));
}
const STEPS = 1024, ERF = Float64Array.from({ length: 6 * STEPS + 1 }, (_, place) => exactErf(place / STEPS));

// Its series near 0, a continued fraction further out; x >= 0.
function exactErf(x) {
  if (x < 2.5) {
    let term = x, total = x;
    for (let n = 1; Math.abs(term) > 1e-17 * total; n++) {
      term *= (-x * x) / n;
      total += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * total;
  }
  let fraction = x;
  for (let n = 40; n > 0; n--) fraction = x + n / 2 / fraction;
  return 1 - Math.exp(-x * x) / (Math.sqrt(Math.PI) * fraction);
}

// Scale the D numbers of each token to a mean square of 1 (RMSNorm), after subtracting their mean (LayerNorm).
function norm(x, weights, name, config) {
  const scale = weights[name + ".weight"].data, shift = weights[name + ".bias"]?.data;
  const D = scale.length, y = new Float32Array(x.length);
  for (let start = 0; start < x.length; start += D) {
    let mean = 0, square = 0;
    if (config.norm === "layernorm") for (let d = 0; d < D; d++) mean += x[start + d] / D;
    for (let d = 0; d < D; d++) square += (x[start + d] - mean) ** 2 / D;
    const divisor = Math.sqrt(square + config.norm_eps);
    for (let d = 0; d < D; d++) y[start + d] = ((x[start + d] - mean) / divisor) * scale[d] + (shift ? shift[d] : 0);
  }
  return y;
}

// A matrix, and a bias where the model has one: for each token x (in), weight (out, in), bias (out) -> (out).
function linear(x, weights, name) {
  const { data: w, shape: [out, inside] } = weights[name + ".weight"], bias = weights[name + ".bias"]?.data;
  const T = x.length / inside, y = new Float32Array(T * out), tokens = T - (T % 4), rows = out - (out % 2);
  for (let o = 0; o < rows; o += 2) { // two rows and four tokens at a time: six numbers are read for eight products
    const p = o * inside, q = p + inside;
    for (let t = 0; t < tokens; t += 4) {
      const a = t * inside, b = a + inside, c = b + inside, d = c + inside;
      let pa = 0, pb = 0, pc = 0, pd = 0, qa = 0, qb = 0, qc = 0, qd = 0;
      for (let i = 0; i < inside; i++) {
        const wp = w[p + i], wq = w[q + i], xa = x[a + i], xb = x[b + i], xc = x[c + i], xd = x[d + i];
        pa += wp * xa; pb += wp * xb; pc += wp * xc; pd += wp * xd;
        qa += wq * xa; qb += wq * xb; qc += wq * xc; qd += wq * xd;
      }
      [pa, pb, pc, pd].forEach((value, token) => (y[(t + token) * out + o] = value));
      [qa, qb, qc, qd].forEach((value, token) => (y[(t + token) * out + o + 1] = value));
    }
  }
  for (let t = 0; t < T; t++) {
    for (let o = t < tokens ? rows : 0; o < out; o++) { // what is left over
      for (let i = 0, total = 0; i < inside; i++) y[t * out + o] = total += x[t * inside + i] * w[o * inside + i];
    }
    for (let o = 0; bias && o < out; o++) y[t * out + o] += bias[o];
  }
  return y;
}

function sum(x, y) {
  return x.map((value, place) => value + y[place]);
}

// What the model expects at one place: a logit for each entry of the vocabulary. hidden (D) -> (V)
function maskedTokenLogits(weights, config, hidden) {
  const act = activation(config.head_act ?? config.act);
  if (config.mlm_head === "transform") { // BERT and ModernBERT
    hidden = norm(linear(hidden, weights, "head.dense").map(act), weights, "head.norm", config);
  }
  if (config.mlm_head === "two_layer") { // UltraBERT
    for (const layer of ["head.first", "head.second"]) hidden = linear(hidden, weights, layer).map(act);
  }
  const tied = { "decoder.weight": weights["embeddings.token.weight"], "decoder.bias": weights["decoder.bias"] };
  return linear(hidden, config.tie ? tied : weights, "decoder");
}

function softmax(logits) {
  const highest = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const exps = logits.map((logit) => Math.exp(logit - highest)), total = exps.reduce((a, b) => a + b, 0);
  return exps.map((value) => value / total);
}
