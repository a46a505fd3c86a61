"""Answers to 6.1, BERT's block."""

import torch
from torch import nn
from torch.nn import functional


class WithHeadsOfTorch(nn.Module):
    def __init__(self, D, H, F, dropout):
        super().__init__()
        self.query, self.key, self.value, self.output = (nn.Linear(D, D) for _ in range(4))
        self.widen, self.narrow, self.H, self.p = nn.Linear(D, F), nn.Linear(F, D), H, dropout
        self.attention_norm, self.feed_forward_norm = nn.LayerNorm(D, 1e-12), nn.LayerNorm(D, 1e-12)

    def attend(self, x, mask):
        t, parts = x.transpose(0, 1), (self.query, self.key, self.value)
        return functional.multi_head_attention_forward(
            *(t, t, t, x.shape[-1], self.H),
            *(torch.cat([p.weight for p in parts]), torch.cat([p.bias for p in parts]), None, None, False, self.p),
            *(self.output.weight, self.output.bias),
            training=self.training,
            key_padding_mask=~mask,
        )[0].transpose(0, 1)

    def forward(self, x, mask):
        x = self.attention_norm(x + functional.dropout(self.attend(x, mask), self.p, self.training))
        y = self.narrow(functional.gelu(self.widen(x)))
        return self.feed_forward_norm(x + functional.dropout(y, self.p, self.training))


class WithSDPA(WithHeadsOfTorch):
    def attend(self, x, mask):
        q, k, v = (p(x).view(*x.shape[:2], self.H, -1).transpose(1, 2) for p in (self.query, self.key, self.value))
        p = self.p if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None], dropout_p=p)
        return self.output(mixed.transpose(1, 2).reshape(x.shape))


class HeadByHead(WithHeadsOfTorch):
    def attend(self, x, mask):
        mixed = []
        for q, k, v in zip(*(part(x).chunk(self.H, -1) for part in (self.query, self.key, self.value)), strict=True):
            scores = torch.einsum("btk,bsk->tsb", q, k) / q.shape[-1] ** 0.5  # the texts last
            scores = scores + torch.where(mask, 0.0, -torch.inf).to(scores).T[None]
            mixed.append(torch.einsum("tsb,bsk->btk", functional.dropout(scores.softmax(1), self.p, self.training), v))
        return self.output(torch.cat(mixed, -1))


class FirstMask(WithHeadsOfTorch):
    def attend(self, x, mask):
        return super().attend(x, mask[:1].expand_as(mask))


class HidesRowsToo(WithHeadsOfTorch):  # NaN at padding, which the next block would mix into every token
    def attend(self, x, mask):
        q, k, v = (p(x).view(*x.shape[:2], self.H, -1).transpose(1, 2) for p in (self.query, self.key, self.value))
        both = (mask[:, :, None] & mask[:, None, :])[:, None]
        weights = (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(~both, -torch.inf).softmax(-1)
        return self.output((functional.dropout(weights, self.p, self.training) @ v).transpose(1, 2).reshape(x.shape))


class SavesItsHeads(WithSDPA):
    def __init__(self, D, H, F, dropout):
        super().__init__(D, H, F, dropout)
        self.register_buffer("scale", torch.tensor(D / H).rsqrt())


class Casts(WithSDPA):
    def forward(self, x, mask):
        return super().forward(x.float(), mask).float()


class KeepsAllWeights(WithSDPA):
    def attend(self, x, mask):
        q, k, v = (p(x).view(*x.shape[:2], self.H, -1).transpose(1, 2) for p in (self.query, self.key, self.value))
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None])
        return self.output(mixed.transpose(1, 2).reshape(x.shape))


class DropsInEvaluation(WithSDPA):
    def forward(self, x, mask):
        x = self.attention_norm(x + functional.dropout(self.attend(x, mask), 0.1))
        return self.feed_forward_norm(x + functional.dropout(self.narrow(functional.gelu(self.widen(x))), 0.1))


class Detaches(WithSDPA):
    def attend(self, x, mask):
        return super().attend(x, mask).detach()


class FirstNormTwice(WithSDPA):
    def forward(self, x, mask):
        x = self.attention_norm(x + functional.dropout(self.attend(x, mask), self.p, self.training))
        y = functional.dropout(self.narrow(functional.gelu(self.widen(x))), self.p, self.training)
        return self.attention_norm(x + y) + 0 * self.feed_forward_norm(x)


class WidensTheInput(WithSDPA):
    def forward(self, x, mask):
        y = self.attention_norm(x + functional.dropout(self.attend(x, mask), self.p, self.training))
        z = functional.dropout(self.narrow(functional.gelu(self.widen(x))), self.p, self.training)
        return self.feed_forward_norm(y + z)


class TwoResults(WithSDPA):
    def forward(self, x, mask):
        return super().forward(x, mask), mask


class OtherNames(WithSDPA):
    def __init__(self, D, H, F, dropout):
        super().__init__(D, H, F, dropout)
        self.q = nn.Linear(D, D)
        del self.query


class NoBias(WithSDPA):
    def __init__(self, D, H, F, dropout):
        super().__init__(D, H, F, dropout)
        self.key = nn.Linear(D, D, bias=False)


class OneNorm(WithSDPA):
    def __init__(self, D, H, F, dropout):
        super().__init__(D, H, F, dropout)
        self.feed_forward_norm = self.attention_norm


class OfTheChapter(nn.Module):
    """The block that the chapter writes out, for one text, with a loop over the texts of the batch around it."""

    def __init__(self, D, H, F, dropout):
        super().__init__()
        self.heads = H
        self.query, self.key, self.value, self.output = (nn.Linear(D, D) for _ in range(4))
        self.widen, self.narrow = nn.Linear(D, F), nn.Linear(F, D)
        self.attention_norm, self.feed_forward_norm = (nn.LayerNorm(D, eps=1e-12) for _ in range(2))

    def attention(self, x):
        query, key, value = (part(x).view(len(x), self.heads, -1) for part in (self.query, self.key, self.value))
        scores = torch.einsum("ihk,jhk->hij", query, key) / query.shape[-1] ** 0.5
        return self.output(torch.einsum("hij,jhk->ihk", scores.softmax(dim=-1), value).flatten(1))

    def one_text(self, x):
        x = self.attention_norm(x + self.attention(x))
        return self.feed_forward_norm(x + self.narrow(functional.gelu(self.widen(x))))

    def forward(self, x, mask):
        texts = []
        for text, real in zip(x, mask, strict=True):
            out = torch.zeros_like(text)
            out[real] = self.one_text(text[real])
            texts.append(out)
        return torch.stack(texts)


class OfTheChapterDropped(OfTheChapter):
    """The same with dropout around the sub-layers, where a wrapper gets at it."""

    def __init__(self, D, H, F, dropout):
        super().__init__(D, H, F, dropout)
        self.dropout = nn.Dropout(dropout)

    def one_text(self, x):
        x = self.attention_norm(x + self.dropout(self.attention(x)))
        return self.feed_forward_norm(x + self.dropout(self.narrow(functional.gelu(self.widen(x)))))


RIGHT = {"heads of torch": WithHeadsOfTorch, "SDPA": WithSDPA, "head by head": HeadByHead}
WRONG = {
    "the chapter's, text by text": (OfTheChapter, "no dropout at all"),
    "the chapter's, dropout around it": (OfTheChapterDropped, "dropout is missing on the attention weights"),
    "the mask of the first text": (FirstMask, "mask of the first text is used for all"),
    "NaN at padding": (HidesRowsToo, "(?s)NaN.*rows of padding"),
    "a buffer": (SavesItsHeads, r"state_dict\(\) holds scale"),
    "casts": (Casts, r"float64|\.float\(\)|dtype"),
    "all weights kept": (KeepsAllWeights, "missing on the attention weights"),
    "dropout in evaluation": (DropsInEvaluation, "outside training"),
    "detached": (Detaches, "no gradient reaches"),
    "first norm twice": (FirstNormTwice, "first norm stands behind both"),
    "widens the input": (WidensTheInput, "reads the block's input"),
    "two results": (TwoResults, "a tuple of 2"),
    "other names": (OtherNames, r"no parameter query\.weight"),
    "no bias": (NoBias, r"no parameter key\.bias"),
    "one norm": (OneNorm, "are the same parameter"),
}
