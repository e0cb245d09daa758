"""What other frameworks call the words of the vocabulary, and which of their words specc lacks.

`CALLED` has what specc calls differently, `DEFINABLE` what one `def` of a spec adds, `MISSING` what
specc does not have yet. Layers and activations are one kind here, since both are written among the
layers. Invariant: no name of a table is a word of the vocabulary; a test names those that are, so a
new word is removed from its table.
"""

from __future__ import annotations

from collections.abc import Mapping

CALLED: Mapping[str, Mapping[str, str]] = {
    "layer": {
        "linear": "dense fc fully_connected affine gemm inner_product dense_layer",
        "residual": "skip skip_connection shortcut residual_block resnet_block",
        "concat": "concatenate cat merge parallel",
        "flatten": "ravel",
        "reshape": "view unflatten",
        "batch_norm": "bn batch_norm1d batch_norm2d batch_normalization",
        "layer_norm": "ln layer_normalization",
        "rms_norm": "rms_normalization root_mean_square_norm",
        "standardize": "normalization normalize standard_scaler scaler z_score",
        "relu": "rectifier rectified_linear",
        "leaky_relu": "lrelu",
        "gelu(approximate=tanh)": "gelu_tanh gelu_new gelu_approximate",
        "silu": "swish",
        "sigmoid": "logistic sigm expit",
        "tanh": "hyperbolic_tangent",
        "hard_swish": "hswish",
        "hard_sigmoid": "hsigmoid",
        "hard_tanh": "htanh clipped_linear",
        "identity": "noop pass_through",
    },
    "loss": {
        "mse": "mean_squared_error squared_error l2 quadratic mse_loss l2_loss",
        "mae": "mean_absolute_error absolute_error l1 mae_loss l1_loss",
        "huber": "smooth_l1 smooth_l1_loss huber_loss",
        "binary_cross_entropy": "bce bce_loss bce_with_logits bce_with_logits_loss log_loss "
        "sigmoid_cross_entropy logistic binary_cross_entropy_with_logits",
        "cross_entropy": "ce xent nll nll_loss negative_log_likelihood softmax_cross_entropy "
        "categorical_cross_entropy sparse_categorical_cross_entropy cross_entropy_loss",
    },
    "optimizer": {
        "sgd(lr=0.1)": "gd gradient_descent stochastic_gradient_descent",
        "sgd(lr=0.1, momentum=0.9)": "momentum heavy_ball sgdm sgd_momentum",
        "sgd(lr=0.1, momentum=0.9, nesterov=true)": "nesterov nag nesterov_momentum",
        "adamw": "adam_weight_decay decoupled_adam",
    },
    "schedule": {
        "constant": "fixed constant_lr none",
        "constant(warmup=5)": "warmup linear_warmup",
        "time_decay(decay=0.01)": "inverse_time inverse_time_decay",
        "exponential_decay(gamma=0.95)": "exponential exponential_lr exp_decay",
        "step_decay(factor=0.1, every=30)": "step step_lr staircase",
        "multi_step(milestones=[30, 60], factor=0.1)": "multi_step_lr piecewise "
        "piecewise_constant piecewise_constant_decay",
        "polynomial": "poly polynomial_lr polynomial_decay linear linear_lr linear_decay",
        "cosine": "cosine_annealing cosine_annealing_lr cosine_decay cosine_lr",
        "plateau": "reduce_lr_on_plateau reduce_on_plateau",
    },
    "metric": {
        "accuracy": "acc binary_accuracy categorical_accuracy sparse_categorical_accuracy "
        "accuracy_score",
        "mae": "mean_absolute_error l1",
        "mse": "mean_squared_error l2",
        "r2": "r_squared r2_score coefficient_of_determination",
        "precision": "ppv positive_predictive_value precision_score",
        "recall": "sensitivity tpr true_positive_rate recall_score",
        "f1": "f1_score f_score f_measure",
    },
    "initializer": {
        "xavier_uniform": "glorot_uniform glorot xavier",
        "xavier_normal": "glorot_normal",
        "he_uniform": "kaiming_uniform",
        "he_normal": "kaiming_normal kaiming he msra",
        "uniform": "random_uniform rand",
        "normal": "gaussian random_normal randn",
        "normal(truncated=true)": "truncated_normal trunc_normal",
        "constant(0.1)": "const fill full",
        "zeros": "zero",
        "ones": "one",
        "orthogonal": "ortho",
        "torch_default": "default pytorch_default",
    },
    "data": {
        "digits": "load_digits",
        "iris": "load_iris",
        "wine": "load_wine",
        "breast_cancer": "load_breast_cancer cancer",
        "diabetes": "load_diabetes",
        'csv("points.csv", target="y")': "csv_file read_csv pandas dataframe",
        'npz("points.npz")': "numpy npy savez npz_file",
        "disk": "circle disc discs disks",
        "xor": "exclusive_or",
        "spiral": "spirals two_spirals make_spirals",
        "moons": "make_moons two_moons half_moons",
    },
    "function": {
        "log": "ln",
        "abs": "fabs absolute",
        "sign": "sgn signum",
        "sigmoid": "logistic expit",
        "min": "minimum fmin",
        "max": "maximum fmax",
        "a ^ b": "pow power",
        "a ^ 2": "square",
        "1 / a": "reciprocal",
        "sin(a) / cos(a)": "tan",
        "-floor(-a)": "ceil ceiling",
        "floor(a + 0.5)": "round",
        "min(max(a, 0), 1)": "clip clamp",
        "where(a < b, a, b)": "if ifelse cond",
    },
    "argument": {
        "units": "out_features output_dim num_units n_units hidden_size",
        "weight": "kernel_initializer weight_initializer weight_init kernel_init init",
        "bias": "bias_initializer bias_init use_bias",
        "rate": "p probability drop_prob dropout_rate",
        "slope": "negative_slope alpha",
        "eps": "epsilon",
        "axis": "dim",
        "shape": "target_shape",
        "lr": "learning_rate eta step_size rate",
        "alpha": "rho",
        "weight_decay": "l2",
        "every": "step_size decay_steps",
        "factor": "gamma",
        "gamma": "decay_rate",
        "decay": "decay_rate",
        "end": "eta_min min_lr end_learning_rate",
        "warmup": "warmup_steps warmup_epochs",
        "epochs": "n_epochs num_epochs max_epochs max_iter",
        "batch_size": "batch minibatch_size",
        "seed": "random_state random_seed",
        "clip_norm": "max_norm max_grad_norm grad_clip",
        "min_delta": "tol tolerance threshold",
        "restore_best": "restore_best_weights",
        "start": "start_from_epoch",
        "validation": "val validation_split val_split",
        "test": "test_size test_split",
        "train": "n_samples samples",
        "features": "columns",
        "label_smoothing": "smoothing",
    },
}
"""For each kind: what to write in a spec, and the names of other frameworks for it."""

DEFINABLE: Mapping[str, Mapping[str, str]] = {
    "layer": {
        "relu6": "def activation relu6(x) = min(max(x, 0), 6)",
        "relu_squared": "def activation relu_squared(x) = max(x, 0)^2",
        "quick_gelu": "def activation quick_gelu(x) = x * sigmoid(1.702 * x)",
        "log_sigmoid": "def activation log_sigmoid(x) = -softplus(-x)",
        "exponential": "def activation exponential(x) = exp(x)",
        "sine": "def activation sine(x, w=1.0) = sin(w * x)",
        "snake": "def activation snake(x, a=1.0) = x + sin(a * x)^2 / a",
        "celu": "def activation celu(x, a=1.0) = where(x > 0, x, a * expm1(x / a))",
    },
    "loss": {
        "hinge": "def loss hinge(p, t) = max(0, 1 - t * p)",
        "squared_hinge": "def loss squared_hinge(p, t) = max(0, 1 - t * p)^2",
        "log_cosh": "def loss log_cosh(p, t) = p - t + softplus(-2 * (p - t)) - log(2)",
        "quantile": "def loss quantile(p, t, q=0.9) = max(q * (t - p), (q - 1) * (t - p))",
        "pinball": "def loss pinball(p, t, q=0.9) = max(q * (t - p), (q - 1) * (t - p))",
        "poisson": "def loss poisson(p, t) = exp(p) - t * p",
        "poisson_nll": "def loss poisson_nll(p, t) = exp(p) - t * p",
        "msle": "def loss msle(p, t) = (log1p(p) - log1p(t))^2",
    },
    "schedule": {
        "inverse_sqrt": "def schedule inverse_sqrt(lr, t, total) = lr / sqrt(t + 1)",
        "noam": "def schedule noam(lr, t, total, up=40) = "
        "lr * min((t + 1) / up, sqrt(up / (t + 1)))",
        "lambda_lr": "def schedule lambda_lr(lr, t, total) = lr * 0.95^t",
    },
}
"""For each kind: words that specc lacks, and the definition that adds them."""

MISSING: Mapping[str, str] = {
    "layer": """
        conv conv1d conv2d conv3d convolution depthwise_conv separable_conv conv_transpose
        conv_transpose1d conv_transpose2d conv2d_transpose deconv max_pool max_pool1d
        max_pool2d max_pooling max_pooling2d avg_pool avg_pool1d avg_pool2d average_pooling
        global_avg_pool global_max_pool adaptive_avg_pool2d upsample pixel_shuffle
        zero_pad zero_padding2d pad interpolate unfold
        lstm lstm_cell gru gru_cell rnn simple_rnn bidirectional time_distributed
        embedding positional_encoding attention self_attention cross_attention
        multi_head_attention scaled_dot_product_attention transformer
        transformer_encoder transformer_encoder_layer transformer_decoder
        transformer_decoder_layer graph_conv gcn
        group_norm instance_norm instance_norm1d instance_norm2d weight_norm spectral_norm
        local_response_norm alpha_dropout dropout1d dropout2d spatial_dropout
        gaussian_noise gaussian_dropout drop_path stochastic_depth
        prelu rrelu glu geglu swiglu maxout gumbel_softmax sparsemax softmin
        bilinear einsum lambda permute transpose squeeze slice multiply matmul""",
    "loss": """
        kl kl_div kl_divergence kullback_leibler focal focal_loss dice dice_loss ctc
        ctc_loss triplet triplet_margin contrastive info_nce cosine_similarity
        cosine_embedding gaussian_nll margin_ranking multi_margin multi_label_soft_margin
        soft_margin wasserstein iou mape""",
    "optimizer": """
        adadelta adamax nadam amsgrad radam lamb lars lion adafactor adabelief adan yogi
        lbfgs bfgs rprop ftrl asgd sgdw muon shampoo sophia novograd lookahead ranger
        sparse_adam newton conjugate_gradient levenberg_marquardt""",
    "schedule": """
        one_cycle one_cycle_lr cyclic cyclic_lr triangular sgdr cosine_warm_restarts
        cosine_annealing_warm_restarts cosine_decay_restarts sequential chained
        multiplicative""",
    "metric": """
        auc roc roc_auc pr_auc average_precision confusion_matrix top_k top_k_accuracy
        top5_accuracy balanced_accuracy specificity fbeta mcc matthews_corrcoef
        cohen_kappa iou log_loss perplexity rmse mape explained_variance pearson spearman
        bleu""",
    "initializer": """
        lecun_normal lecun_uniform variance_scaling sparse dirac delta eye""",
    "data": """
        mnist fashion_mnist kmnist emnist cifar cifar10 cifar100 svhn imagenet coco boston
        california_housing fetch_california_housing make_circles circles make_blobs blobs
        make_classification make_regression make_friedman1 linnerud load_linnerud
        olivetti_faces newsgroups titanic penguins parquet json jsonl hdf5 h5 arrow feather
        excel xlsx tsv sql sqlite image_folder tfrecord openml""",
    "function": """
        sinh cosh asin acos atan atan2 arcsin arccos arctan mod fmod erfc erfinv gamma
        lgamma sum mean prod cumsum dot softmax random""",
}
"""For each kind: words of other frameworks that specc does not have yet."""

ADVICE: Mapping[str, str] = {
    "activation": "write the activation behind the layer: `linear(8) relu`",
    "input_shape": "leave it out: sizes of inputs are inferred",
    "input_dim": "leave it out: sizes of inputs are inferred",
    "in_features": "leave it out: sizes of inputs are inferred",
    "name": "write the name before the layer: `hidden = linear(8)`",
}
"""Arguments of other frameworks that are written in another place, or not at all."""
