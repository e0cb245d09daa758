"""Why faults are not found: another text that computes the same, or one that nothing reaches.

Each entry is a pattern of what a fault prints as, with its reason. `docs/proof.md` counts every
survivor of the recorded run by the reason that is found here. A survivor without any is a hole.
"""

from __future__ import annotations

import re

REASONS: tuple[tuple[str, str, str], ...] = (
    ("", r"bits: .*2\*\*\(64 \+ 1\)", "the bits above 64 are cut off by the next line"),
    (
        "",
        r"permutation: .*(>> \(1 \+ 1\)|, \(1 \+ 1\)\))",
        "the order of 62 random bits is that of 63, unless two agree in 62",
    ),
    (
        "",
        r"(mask|drop): .*>= rate.* -> .*> rate",
        "a uniform number is the rate itself once in 2^53",
    ),
    ("", r"initialize: .*fill_\(0\.0\) -> pass", "the flat buffer is made of zeros"),
    (
        "",
        r"(Parameters|Buffers)\.__init__: .*flat\[.* \+ 1\)\]",
        "a slice that ends beyond the buffer ends with it",
    ),
    (
        "",
        r"Run\.watch: .*reference (- MIN_DELTA.*reference \+|\+ MIN_DELTA.*reference -) ",
        "min_delta is 0 in this spec",
    ),
    (
        "",
        r"(measure|Model\.fit): .*x(\.reshape\(.*\))?\[\(0 \+ 1\)\]",
        "any sample serves as the origin of sums",
    ),
    (
        "",
        r"Model\.train_step: .*in_range=False\) -> .*in_range=True\)",
        "what is checked beforehand is checked otherwise afterwards",
    ),
    (
        "",
        r"Model\.__init__: self\._(flat|updates) = .*zeros\(.* -> .*zeros\(\(\d+ \+ 1\)",
        "nothing looks at the last number of a longer buffer",
    ),
    (
        "",
        r".*: (if not (self|model)\._training\.acquire|self\._busy|self\._training\.release"
        r"|self\._models\.add)",
        "another thread or a fork meets it: tests/emitted/module/test_threads.py has them",
    ),
    (
        "",
        r"(Model\.fit|Run\.__init__): .*(sweep_strays|perf_counter\(\)|self\.samples = )",
        "when a checkpoint is written, and what it says of the samples: test_resume.py",
    ),
    (
        "",
        r"Derived\.forward: return last\.clone\(\)",
        "autograd refuses a prediction that was written over, copied or not",
    ),
    (
        "",
        r"Once\.vmap: (if any|Derived)",
        "refused for torch.func.vmap alone: tests/emitted/module/test_as_module.py",
    ),
    ("", r"Once\.vmap: .*movedim\(0, dims", "torch.func.jacrev puts the rows first"),
    (
        "disk",
        r"Once\.vmap: .*(movedim\(dims\[1\], \(0 \+ 1\)|\(\(0 \+ 1\),\))",
        "the Jacobian of one output is symmetric in its rows and the samples",
    ),
    (
        "",
        r"pulled_back: g = Parameters\(.*\+ 1\)",
        "nothing looks at the last number of a longer buffer",
    ),
    (
        "digits",
        r"Model\.state_dict: .*clone\(\)\.contiguous\(\)",
        "of a view of [W b] contiguous() makes a copy",
    ),
    (
        "digits diabetes digits_wide",
        r"Model\.load_state_dict: .*\.clone\(\)",
        "no two parameters have one shape, so that none can be read after it was written",
    ),
    ("", r"measure: .*(shift - shifted)", "the square of a difference has no sign"),
    (
        "disk",
        r"mse: .*label - tanh1",
        "the square of a difference has no sign",
    ),
    (
        "disk",
        r"mse\(.* -> .*mse\(|figures\(.* -> .*figures\(|\baccuracy\(.* -> .*accuracy\(",
        "mse and accuracy by a threshold are symmetric in prediction and target",
    ),
    (
        "disk",
        r"Run\.(epoch|retreat): .*(retreat\(target, last|split\(target, BATCH_SIZE\))",
        "the loss is symmetric, and only its size is asked for",
    ),
    (
        "breast_cancer progression diabetes disk_sigmoid",
        r"Run\.(epoch|retreat): .*(retreat\(target, last|split\(target, BATCH_SIZE\))",
        "it is asked whether the loss is finite, whichever of both is the prediction",
    ),
    (
        "",
        r"Model\._train: last = np\.zeros\(\(len\(x\), 1\).* -> .*\(1 \+ 1\)",
        "NumPy writes the one column into both, and a mean over both is the same",
    ),
    (
        "",
        r"Run\.retreat: self\.ended = True -> ",
        "the loop ends by itself where an epoch gives nothing, and nothing is saved after it",
    ),
    (
        "",
        r"Run\.retreat: .*before\[good - epoch - 1\].* -> .*before\[epoch - good - 1\]",
        "of two, the last but one is the first",
    ),
    (
        "",
        r"(forward|huber|squared_error|mae|mse): .*\(([\w.()]+) - ([\w.()]+)\)\.(square|abs)\(\).*"
        r" -> .*\(\3 - \2\)\.\4\(\)",
        "neither the square nor the size of a difference has a sign",
    ),
    (
        "",
        r"(forward|mse): .*\(\((\w+) - ([\w.]+)\) \*\* 2\).* -> .*\(\(\3 - \2\) \*\* 2\)",
        "neither the square nor the size of a difference has a sign",
    ),
    (
        "",
        r"(huber|mae|mse): .*np\.abs\((\w+) - (\w+)\).* -> .*np\.abs\(\3 - \2\)",
        "neither the square nor the size of a difference has a sign",
    ),
    (
        "",
        r"Model\.(_loss|loss|_backward|_step): return (float\()?huber\((.*), (\w+)\)+ -> "
        r"return (float\()?huber\(\4, \3\)",
        "the loss is symmetric, and only its size is asked for",
    ),
    (
        "",
        r"Model\._train: .*huber\((\S+), (\S+)\) .* -> .*huber\(\2, \1\) ",
        "the loss is symmetric, and only its size is asked for",
    ),
    (
        "",
        r"\.reshape\(-1, (\d+)\).* -> .*\.reshape\(-\(1 \+ 1\), \1\)",
        "NumPy takes any negative size for the one that it is to find",
    ),
    (
        "",
        r"sigmoid: .*np\.where\(z < 0, e, 1\).* -> .*np\.where\(z <= 0, e, 1\)",
        "at 0 both branches are the same",
    ),
    (
        "",
        r"figures: .*(mse|mae|huber|squared_error|true_positives)\((\w+), (\w+)\).* -> "
        r".*\1\(\3, \2\)",
        "what is counted or compared is symmetric in prediction and target",
    ),
    (
        "",
        r"Model\.__init__: self\._reductions = 0 .* -> (pass|self\._reductions = \(0 \+ 1\))",
        "every epoch sets it first",
    ),
    (
        "diabetes",
        r"mse\(.* -> .*mse\(|figures\(.* -> .*figures\(",
        "mse, its only figure, is symmetric in prediction and target",
    ),
    (
        "disk_sigmoid",
        r"figures: .*accuracy\((\w+), (\w+)\).* -> .*accuracy\(\2, \1\)",
        "accuracy by a threshold is symmetric in prediction and target",
    ),
    (
        "breast_cancer",
        r"figures: .*accuracy\((\w+), (\w+)\).* -> .*accuracy\(\2, \1\)",
        "accuracy by a threshold is symmetric in prediction and target",
    ),
    (
        "",
        r"huber: 0\.5 \* \((\w+) - (\w+)\) \*\* 2, -> 0\.5 \* \(\2 - \1\) \*\* 2,",
        "the square of a difference has no sign",
    ),
    (
        "",
        r"squared_error: .*\((\w+)\.astype\(.*\) - (\w+)\..* -> .*\(\2\..* - \1\.",
        "the square of a difference has no sign",
    ),
    (
        "",
        r"huber_gradient: (\S+) \* np\.sign\(residual\) .* -> \1 / np\.sign\(residual\) ",
        "where this branch is taken, the sign is 1 or -1",
    ),
    (
        "",
        r"huber_gradient: .*abs\(.*\) < (.*) -> .*abs\(.*\) <= \1",
        "at delta itself both branches are the same",
    ),
    (
        "progression",
        r"backward: d_silu1 = s\.d_concat1\[:, 10:26\].* -> .*10:\(26 \+ 1\)\]",
        "a slice that ends beyond the array ends with it",
    ),
    (
        "",
        r"Model\._train: losses = \[(\w+)\((.*), (.*)\) for .* -> .*\[\1\(\3, \2\) for",
        "only whether it is finite is asked for, which is the same",
    ),
    (
        "",
        r"huber_gradient: .*abs\(\) < (\S+) -> .*abs\(\) <= \1",
        "at delta itself both branches are the same",
    ),
    (
        "",
        r"(huber|step_loss): .*abs\(.*\) < (\S+), .*-> .*abs\(.*\) <= \2,",
        "at delta itself both branches are the same",
    ),
    (
        "",
        r"Workspace\.__init__: .* = like  # each step makes its own -> pass",
        "each step makes its own",
    ),
    (
        "mixer",
        r"backward: s\.d_linear5 = s\.d_residual2.* -> s\.d_linear5 = s\.d_flatten2",
        "both are views of one array",
    ),
    (
        "digits_wide",
        r"accumulate: torch\.mul\(made, alpha, (.*)\) -> torch\.div\(made, alpha, \1\)",
        "where beta is 0, alpha is 1",
    ),
    (
        "mixer",
        r"Model\.predict: .*BLOCK \* \(8 \+ 1\)",
        "blocks may have any number of samples",
    ),
    (
        "",
        r"(fused_linear|by_onednn|is_intel): |(dense|add_product): if by_onednn\(",
        "it chooses between two kernels that give the same product",
    ),
    ("", r"activated: case RELU: .*z <= 0.* -> .*z < 0", "what is kept of 0 is 0"),
    ("", r"\w+: \(void\)\w+; -> ;", "it tells a compiler that an argument is not used"),
    (
        "",
        r"narrow_gradient: for \(; s \+ 4 <= n; .* -> for \(; s \+ (4 <|\(4 \+ 1\) <=) n; ",
        "the loop after it takes what this one leaves",
    ),
    (
        "",
        r"narrow_gradient: for \(; s < n; s\+\+\) sum\[0\].* -> .* sum\[\(0 \+ 1\)\]",
        "of four sums another takes it",
    ),
    (
        "",
        r"narrow_gradient: real sum\[4\].* -> real sum\[\(4 \+ 1\)\]",
        "nothing looks at the last number of a longer array",
    ),
    (
        "disk breast_cancer progression diabetes disk_sigmoid",
        r"narrow_gradient: .*( \* out \+ o\].* -> .* \* out - o\]| \* out.* -> .* / out)",
        "out is 1, and o is 0",
    ),
    (
        "",
        r"normal: .*_parameters, linear1_weight\) / sizeof.* -> .*linear1_weight\) \* sizeof",
        "it is the first, whose offset is 0",
    ),
    (
        "",
        r"normal: (.*, \d+, 1, \d+), 0\}, -> \1, \(0 \+ 1\)\},",
        "an array of one column has no step to another",
    ),
    (
        "",
        r"normal: (.* / sizeof\(real\), 1, \d+), (\d+), (.*) -> \1, \(\2 \+ 1\), \3",
        "an array of one row has no step to another",
    ),
    (
        "",
        r"disk_shuffle: for \(size_t i = 1; i < n; .* -> for \(size_t i = 1; i <= n; ",
        "nothing reads the last of these numbers",
    ),
    (
        "",
        r"disk_shuffle: .*\(drawn\(key, i\) >> 32\) \* n >> 32\]\+\+\].* -> .*>> 32\) / n ",
        "insertion puts in order what it finds, however long it takes",
    ),
    (
        "",
        r"disk_shuffle: .*largest = 0; .* -> .*largest = \(0 \+ 1\);",
        "of 63 random bits none is set once in 2^63",
    ),
    (
        "",
        r"disk_shuffle: if \(own >= largest\) .* -> if \(own > largest\)",
        "what is as large as the one before it stays behind it",
    ),
    (
        "",
        r"disk_shuffle: for \(; to && .* > own; .* -> .* >= own; ",
        "two of 63 random bits are alike once in 2^63",
    ),
    (
        "",
        r"disk_shuffle: for \(size_t i = 1; .* -> for \(size_t i = \(1 \+ 1\); ",
        "the first of these numbers is 0",
    ),
    (
        "disk disk_sigmoid",
        r"\w+: .*; at < n; at \+= LANES\).* -> .*(; at <= n; at \+=|; at < n; at =) LANES\)",
        "the workspace holds one vector of samples, and none is beyond it",
    ),
    (
        "disk",
        r"\w+: .*load\(([mw]->\w+) \+ at\).* -> .*load\(\1 - at\)",
        "the workspace holds one vector of samples, so that at is 0",
    ),
    (
        "disk",
        r"\w+: store\(([mw]->\w+) \+ at, .* -> store\(\1 - at, ",
        "the workspace holds one vector of samples, so that at is 0",
    ),
    (
        "disk",
        r"(dense|back|gradient|narrow\w*)(_\d+)+\w*: .*, 25, .* -> .*, \(25 \+ 1\), ",
        "what is beyond the 25 are zeros, and stay it",
    ),
    (
        "disk",
        r"narrow\w*(_25_1|_1_25)\w*: .*, 32, .* -> .*, \(32 \+ 1\), ",
        "a matrix of one row has no step to another",
    ),
    (
        "disk",
        r"\w+: .*sum \+= first\((.*), n - at\);.* -> "
        r".*(sum = first\(\1, n - at\);|sum \+= first\(\1, n \+ at\);)",
        "the workspace holds one vector of samples, so that at is 0",
    ),
    (
        "disk disk_sigmoid",
        r"accuracy: .*(sum \+= first\(.* -> sum = first\(|, n - at\);.* -> .*, n \+ at\);)",
        "the workspace holds one vector of samples, so that at is 0",
    ),
    (
        "disk",
        r"accuracy: .*tanh1 \+ at\) > \(real\)0\.5.* -> .*tanh1 \+ at\) >= \(real\)0\.5",
        "libm's tanh is 0.5 for no double",
    ),
    (
        "disk disk_sigmoid",
        r"take: .*order\[at \+ \(size_t\)s\].* -> .*order\[at - \(size_t\)s\]",
        "an order is given for batches, which have one sample",
    ),
    (
        "disk disk_sigmoid",
        r"disk_(sigmoid_)?(train|go_on): .*( \* | / |left = n - at).*_BATCH_SIZE.*",
        "a batch has one sample",
    ),
    (
        "disk disk_sigmoid",
        r"disk_(sigmoid_)?train: .*left = n - at; -> .*left = n \+ at;",
        "a batch has one sample",
    ),
    (
        "",
        r"\w+: .* = (\w+|n - \w+) < (\w+ \? .*);.* -> .* = \1 <= \2;",
        "of two that are equal either is the smaller one",
    ),
    (
        "",
        r"\w+_predict: for \(size_t at = 0; at < n; .* -> for \(size_t at = 0; at <= n; ",
        "of no samples nothing is written",
    ),
    (
        "",
        r"gradient_of: .*done \? 1 : 0, 1\);.* -> .*done \? 1 : \(0 \+ 1\), 1\);",
        "the gradient that is added to is 0",
    ),
    (
        "",
        r"all_finite: .*; at < \w+_PADDED; .* -> .*; at <= \w+_PADDED; ",
        "behind the parameters are the samples, which are finite",
    ),
    (
        "",
        r"add_to: .* -> .*(load\(g\) / beta |made / alpha\b)",
        "alpha is 1, and beta 0 or 1; of 0 nothing is read",
    ),
    (
        "",
        r"\w+_measure: .* r = 0; .* sum \+= .* - first; -> .* r = \(0 \+ 1\); ",
        "the first is the origin of the sum, and adds 0",
    ),
    ("", r"retreat: \w+_figures unused = .*", "nobody reads these figures"),
    (
        "",
        r"\w+_fit: return ended < 0 \? .* -> return ended <(= 0| \(0 \+ 1\)) \? ",
        "0 says that it ended by its epochs",
    ),
    (
        "breast_cancer",
        r"narrow_back_1_16: .*, 16, 16, .* -> .*, \(16 \+ 1\), 16, ",
        "a matrix of one row has no step to another",
    ),
    (
        "",
        r"(dense|back|gradient|narrow\w*)(_\d+)+\w*: .*, (\d+), .* -> .*, \(\3 \+ 1\), ",
        "what is beyond its columns are zeros, and stay it",
    ),
    (
        "",
        r"\w+: for \(int (at|s|c)\b.*(; \w+ < .* -> .*; \w+ <= |\d+; .* -> .*\(\d+ \+ 1\); )",
        "nothing reads what is made of junk behind the batch, or it is made anew",
    ),
    (
        "mixer",
        r"forward: for \(int c = 0, at = .* -> for \(int c = \(0 \+ 1\), at = ",
        "c counts vectors, of which there are as many",
    ),
    (
        "",
        r"(log_softmax|standardize\w*): for \(int .*(i|at) \+= LANES\) -> .*\2 = LANES\)",
        "a row is one vector",
    ),
    (
        "",
        r"\w+_(set|begin|finish): memset\((.*), 0, (.*) -> memset\(\2, \(0 \+ 1\), \3",
        "a number of bytes that are 1 is below 1e-303, which no sum notices",
    ),
    (
        "",
        r"(standardize\w*|cross_entropy_gradient): .*\b(\d+) - c\).* -> "
        r".*(\b\2 \+ c\)|\(\2 \+ 1\) - c\))",
        "what is beyond its columns are zeros without it",
    ),
    (
        "progression mixer",
        r"normalize_rows_back: .*width - c\).* -> .*width \+ c\)",
        "a row is whole vectors, or one",
    ),
    (
        "wine progression mixer",
        r"(retreat|\w+_finish): .*m->buffers = run->",
        "training does not change its buffers",
    ),
    (
        "breast_cancer disk_sigmoid",
        r"through: case SIGMOID: .*",
        "its sigmoid is a part of the loss",
    ),
    (
        "iris wine",
        r"(logsumexp|softmax): .*(width - i\).* -> .*width \+ i\)|i \+= LANES.*i <= width)"
        r"|(?:logsumexp|softmax): .*i = LANES"
        r"|softmax: .* -> store\(.*[yz] - i\b|logsumexp: .*row \+ i\).* -> .*row - i\)"
        r"|cross_entropy_gradient: .*(c|at) \+= LANES.* -> .*\b\3 = LANES"
        r"|logsumexp: sum \+= .* -> sum = ",
        "a row is a part of one vector",
    ),
    (
        "",
        r"argmax: .*i < width.* -> .*i <= width|accuracy: .*argmax\(.*, \(\d+ \+ 1\)\)",
        "behind a row of probabilities is a 0, which is not the largest; of logits `fit` finds it",
    ),
    (
        "",
        r"logsumexp: .*row\[i\] > top .* -> .*row\[i\] >= top",
        "of two that are equal either is the larger one",
    ),
    (
        "progression",
        r"vsign: .*HOLDS\(x [<>] 0\).* -> .*(HOLDS\(x ([<>] \(0 \+ 1\)|<= 0)\)"
        r"|fill\(\(0 \+ 1\)\))",
        "the sign is asked for beyond delta, which is 50",
    ),
    (
        "progression",
        r"(forward|input_backward): copy_rows\(n, (\d+), .* -> copy_rows\(n, \(\2 \+ 1\), ",
        "what is beyond the columns of an array is not read",
    ),
    (
        "progression",
        r"clear_padding: .* to\[c\] = \(0 \+ 1\)",
        "what is between the rows meets zeros alone, and only has to be finite",
    ),
    (
        "progression",
        r"input_backward: clear_padding\(n, 10, .* -> clear_padding\(n, \(10 \+ 1\)",
        "what is beyond the columns of an array is not read",
    ),
    (
        "progression",
        r"backward: copy_rows\(n, 16, .* -> copy_rows\(n, \(16 \+ 1\)",
        "behind a row is the next one's first number, which is copied after it",
    ),
    (
        "",
        r"sizeof: .*-1\]; -> .*-\(1 \+ 1\)\];",
        "either is the size of no array, which does not compile",
    ),
    (
        "digits_wide",
        r"(product|gradient): if \(\(out .* % 2\) -> if \(\(out \+ \(int\)LANES - \(1 \+ 1\)\)",
        "no layer is one wider than whole vectors",
    ),
    (
        "mixer",
        r"copy_pieces: .* i < count; .* -> .* i <= count; "
        r"|(standardize\w*|forward|backward): .*\b8 \* n\b.* -> .*\(8 \+ 1\) \* n\b",
        "nothing reads what is made of junk behind the batch, or it is made anew",
    ),
    (
        "mixer",
        r"standardize\w*: .*(_(mean|std) \+ c\).* -> .*_\2 - c\)|c \+= LANES.* -> .*c = LANES)",
        "a row is one vector",
    ),
    (
        "mixer",
        r"standardize: .*_std \+ c\), 8 -> .*_std \+ c\), \(8 \+ 1\)",
        "what is beyond the columns of an array is not read",
    ),
    (
        "progression",
        r"vsign: .*x > 0\).* -> .*x >= 0\)",
        "where the sign is asked for it is not 0",
    ),
    (
        "progression",
        r"progression_init: .* i < 26; .* -> .* i <(= 26| \(26 \+ 1\)); ",
        "the number behind it is a bias, which is set afterwards",
    ),
    (
        "digits_wide",
        r"product_strip: if \((!turned .*CACHED|n < TILE)|gradient_strip: if \(pitch > 128 ",
        "it chooses between two ways to the same product",
    ),
    (
        "digits_wide",
        r"product_strip: .*more = k > 0, .* -> .*more = k > \(0 \+ 1\)",
        "a part is deeper than one",
    ),
    (
        "digits_wide",
        r"(product|gradient): .* c \+ \(int\)LANES < out; .* -> .* c \+ \(int\)LANES <= out; ",
        "no width is an odd number of vectors",
    ),
    (
        "digits_wide",
        r"(product|gradient)_strip: int (blocks|tiles) = .* -> "
        r"int (blocks|tiles) = \(in \+ (DEPTH|TILE) .*\) [*/] (DEPTH|TILE), ",
        "a product may be made of more parts",
    ),
    (
        "digits_wide",
        r"product_strip: .* k < in; .* -> .* k <= in; ",
        "of no depth nothing is added, and relu twice is relu",
    ),
    (
        "digits_wide",
        r"(product|gradient)_strip: .*\bout - c\b.* -> .*\bout \+ c\b|product: .*\(\(1 \+ 1\), c,",
        "what is beyond its columns are zeros, and stay it",
    ),
    (
        "digits_wide",
        r"gradient_strip: .* v < vectors; .* -> .* v <= vectors; ",
        "the panel has room for it, and nothing reads it",
    ),
    (
        "disk_sigmoid",
        r"(binary_cross_entropy\w*|output|accuracy): "
        r".*( -> .*(linear4|sigmoid1|label) - at|, n - at\);.* -> .*, n \+ at\);"
        r"|sum \+= .* -> sum = )",
        "the workspace holds one vector of samples, so that at is 0",
    ),
    (
        "digits_wide",
        r"product_strip: int depth = in [-+] k|gradient_strip: (g \+ i|.*(longer;|rows \+ 1))",
        "64, 256 and 512 are whole parts, of which none is shorter or longer",
    ),
)
"""(examples or all, pattern, reason)."""


def reason(example: str, fault: object) -> str:
    """Say why a fault, as it prints, is none; empty where nobody knows."""
    for names, pattern, why in REASONS:
        meant = not names or example in names.split()
        if meant and re.search(pattern, str(fault)):
            return why
    return ""


def own_reason(example: str, fault: object) -> bool:
    """Tell whether a reason is this example's: elsewhere the same fault may be one."""
    return any(
        example in names.split() and re.search(pattern, str(fault))
        for names, pattern, _ in REASONS
    )
