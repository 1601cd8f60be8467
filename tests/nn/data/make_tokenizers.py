"""Makes the files in tokenizers/: small tokenisers that Hugging Face's library trained, and the ids that it gives.

    pip install tokenizers==0.23.3 && python make_tokenizers.py

Each file: {"tokenizer": a whole tokenizer.json, "cases": [[text, ids, ids with special tokens read and put around], ...]}
"""
import json
import pathlib

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
TEXTS = [
    "", " ", "a", "The cat's hat isn't the cats' hat; WE'LL see, 'S is not 's.", "  two  blanks\tand\t\ttabs  ",
    "line\nline\r\nline\r\n\r\n  indented\n\n", "numbers 1 22 333 4444 55555 3.14159 ٣٤٥ Ⅷ ½", "naïve café cafe\u0301 Ångström A\u030a",
    "e\u0323\u0302 \u1ed9 \u0344 \u0958 \u1100\u1161\u11a8 각", "日本語と漢字かな、한국어 문장。", "emoji 😀👩‍👩‍👧‍👦🇩🇪!", "مرحبا שלום हिन्दी ไทย",
    "x = y+z; // a_b->c(d[0]) != \"q\" && #include <x>", "<|begin|>the <|end|> the<|end|><|end|>", "in <tool> the<tool>other  <tool>\n then",
    "\u00a0no-break\u3000wide\u200bzero\u2028line", "ĠĊ \u2581under ▁▁", "\x00\x01\x7f\u0085", "…—«»$€¥ !? ?!", "the the  the   the    the",
    "'\u017f \u212a \ufb01 \u01c5 ʰ", "\U0001d15e \U00010400 \U000e0001", "a" * 40, "<0x41> <0xFF>",
]
CORPUS = TEXTS * 3 + ["the cat and the other cats sat in the hat; that's what they'll say, the end"] * 4
SPECIAL = ["<|begin|>", "<|end|>"]
HERE = pathlib.Path(__file__).parent / "tokenizers"


def words(*stages):
    return pre_tokenizers.Sequence([*stages, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def train(splitter, decoder, normaliser=None, model=None, special=SPECIAL, size=330, **options):
    tokenizer = Tokenizer(model or models.BPE())
    if normaliser:
        tokenizer.normalizer = normaliser
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoder
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=size, special_tokens=special, show_progress=False, **options))
    return tokenizer


def put_around(tokenizer, before, behind=()):
    template = " ".join([*before, "$A", *behind])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[(t, tokenizer.token_to_id(t)) for t in {*before, *behind}])


def write(name, tokenizer):
    cases = []
    for text in TEXTS:
        tokenizer.encode_special_tokens = True
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        tokenizer.encode_special_tokens = False
        cases.append([text, plain, tokenizer.encode(text, add_special_tokens=True).ids])
    lines = ",\n".join(json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases)
    document = json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":"))
    (HERE / f"{name}.json").write_text(f'{{"tokenizer":{document},\n"cases":[\n{lines}\n]}}\n', encoding="utf-8", newline="\n")


alphabet = {"initial_alphabet": pre_tokenizers.ByteLevel.alphabet()}
write("gpt2", train(pre_tokenizers.ByteLevel(add_prefix_space=True), decoders.ByteLevel(), **alphabet))

llama3 = train(words(pre_tokenizers.Split(Regex(LLAMA3), "isolated")), decoders.ByteLevel(), model=models.BPE(ignore_merges=True), **alphabet)
put_around(llama3, SPECIAL[:1], SPECIAL[1:])
write("llama3", llama3)

added = train(words(pre_tokenizers.Split(Regex(LLAMA3), "isolated")), decoders.ByteLevel(), normalizers.NFC(), size=300, **alphabet)
added.add_tokens([AddedToken("<tool>", lstrip=True, rstrip=True, normalized=False), AddedToken("the", single_word=True, normalized=False),
                  AddedToken("A\u030a", normalized=True), AddedToken("   ", normalized=True), AddedToken("<to", normalized=False)])
write("added", added)

splits = train(words(pre_tokenizers.Split(Regex(r"(?=(\d{3})+(?!\d))"), "isolated"), pre_tokenizers.Digits(True),
                     pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.Split(" ", "merged_with_next"),
                     pre_tokenizers.Split(Regex(r"\w+"), "merged_with_previous", True)), decoders.ByteLevel(), **alphabet)
write("splits", splits)

plain = ["<unk>", "<s>", "</s>"]
llama2 = train(pre_tokenizers.Metaspace(prepend_scheme="never"), decoders.Sequence(
    [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]),
    model=models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True), limit_alphabet=60, size=380,
    special=plain + [f"<0x{byte:02X}>" for byte in range(256)])
document = json.loads(llama2.to_str())
document["added_tokens"] = document["added_tokens"][:3]
document["pre_tokenizer"] = None
document["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"},
                                                              {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]}
llama2 = Tokenizer.from_str(json.dumps(document))
put_around(llama2, ["<s>"])
write("llama2", llama2)

for fuse in (False, True):
    metaspace = train(pre_tokenizers.Metaspace(prepend_scheme="first"), decoders.Metaspace(prepend_scheme="first"), limit_alphabet=60,
                      model=models.BPE(unk_token="<unk>", fuse_unk=fuse), special=plain, size=90)
    write("metaspace_fused" if fuse else "metaspace", metaspace)
