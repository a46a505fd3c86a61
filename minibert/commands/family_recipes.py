"""How `pretrain` trains each family unless told otherwise, and what it refuses before it begins."""

# What differs between the families besides the architecture. Sources: Devlin et al. 2019, appendix A.2; Warner et al.
# 2024, table 3; Boizard et al. 2025, table 4. Learning rates are larger than the papers': nano models, short runs.
FAMILY_RECIPES = {
    "bert": dict(
        optimizer="bert_adam",
        schedule="linear",
        learning_rate=7e-4,
        weight_decay=0.01,
        clip=1.0,
    ),
    "modernbert": dict(
        optimizer="stable_adamw",
        schedule="trapezoid",
        learning_rate=4e-3,
        weight_decay=1e-5,
        betas=(0.9, 0.98),
        clip=None,
    ),
    "eurobert": dict(
        optimizer="adamw",
        schedule="trapezoid",
        learning_rate=2e-3,
        weight_decay=0.1,
        betas=(0.9, 0.95),
        eps=1e-5,
        clip=1.0,
        decay_everything=True,
    ),
}
FAMILY_MASKING = {
    "bert": dict(mask_rate=0.15, mask_split=(0.8, 0.1, 0.1)),
    "modernbert": dict(mask_rate=0.3, mask_split=(0.8, 0.1, 0.1)),
    "eurobert": dict(mask_rate=0.5, mask_split=(1.0, 0.0, 0.0)),
}


def make_recipe(family, steps, learning_rate, accumulate, bf16, seed, validate_every, checkpoint_every):
    """The family's recipe for a run of `steps`: a tenth warms up, and a trapezoid's last quarter decays.

    >>> make_recipe("modernbert", 100, None, 1, False, 0, 0, 0).decay
    25
    """
    from minibert.training import Recipe

    settings = FAMILY_RECIPES[family] | ({} if learning_rate is None else dict(learning_rate=learning_rate))
    if settings["schedule"] == "trapezoid":
        settings |= dict(decay=steps // 4)
    return Recipe(
        steps,
        warmup=max(1, steps // 10),
        accumulate=accumulate,
        bf16=bf16,
        seed=seed,
        validate_every=validate_every,
        checkpoint_every=checkpoint_every,
        **settings,
    )


def check_settings(mask_rate, batch_tokens, max_len, config, whole_words, device) -> None:
    """Refuse what would fail minutes later.

    >>> from minibert import EncoderConfig
    >>> check_settings(0.15, 64, 128, EncoderConfig.preset("bert-nano"), False, "cpu")
    Traceback (most recent call last):
    ...
    ValueError: --batch-tokens 64 holds not even one text of --max-len 128: raise it or lower --max-len
    """
    import torch

    if not 0 < mask_rate < 1:
        raise ValueError(f"--mask-rate {mask_rate}: expected a share above 0 and below 1")
    if batch_tokens < max_len:
        raise ValueError(
            f"--batch-tokens {batch_tokens} holds not even one text of --max-len {max_len}: raise it or lower --max-len"
        )
    if config.position == "learned" and max_len > config.max_len:
        raise ValueError(f"--max-len {max_len}: this preset learns {config.max_len} positions")
    if whole_words and config.family != "bert":
        raise ValueError("--whole-words needs WordPiece, whose pieces say where a word goes on: use a BERT preset")
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"--device {device}: {str(error).splitlines()[0]}") from None
