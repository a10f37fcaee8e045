"""The classes and options that a configuration of Keras may name.

Whatever is not in these tables is refused before tf-keras or Keras 3 sees
it. A class is here when both have it, when it only computes, and when none
of its options names a file, a module or code. Layers that read a vocabulary
from a file (`StringLookup`, `IntegerLookup`, `TextVectorization`), that run
functions (`Lambda`, `TFOpLambda`, `TensorFlowOpLayer`) or whole programs
(`TFSMLayer`) are therefore absent.

Source: the constructors and `get_config` of `tf.keras.layers` in TensorFlow
1.4 to 1.15, of tf-keras 2.21 and of `keras.layers` in Keras 3.15.
"""

import types


def words(text):
    """The words of a text, where a list of strings would fill a page."""
    return text.split()


# What an option holds. None is allowed for all of them.
FLAG, NUMBER, TEXT = "a flag", "a number", "a text"
SIZE = "a size, or a list of sizes"  # whole numbers, also within lists
PLAIN = "numbers or texts"  # alone or in lists
INITIALIZER, REGULARIZER = "an initializer", "a regularizer"
CONSTRAINT, DTYPE = "a constraint", "a dtype"
LAYER, LAYERS = "a layer", "a list of layers"
ACTIVATION = "an activation"  # a function's name, or one of a few layers
NOTHING = "nothing"  # the key is there, and must be None
LOSS_SCALE = "a loss scale"
SHAPES = "shapes"
READS = "names of layers"
SCHEDULE = "a number, or a schedule of the learning rate"
OPTIMIZER, SCORE = "an optimizer of Keras", "a loss or a metric of Keras"

BASE = {
    "name": TEXT,
    "trainable": FLAG,
    "dtype": DTYPE,
    "autocast": FLAG,
    "dynamic": FLAG,
    "batch_input_shape": SIZE,
    "activity_regularizer": REGULARIZER,
}


def _options(kind, *names):
    return dict.fromkeys(names, kind)


def _weights(*names):
    """What options a weight of each of these names brings along."""
    return {
        f"{name}_{kind}": value
        for name in names
        for kind, value in (
            ("initializer", INITIALIZER),
            ("regularizer", REGULARIZER),
            ("constraint", CONSTRAINT),
        )
    }


_RANDOM = {"seed": NUMBER, "force_generator": FLAG, "rng_type": TEXT}
_LOW_RANK = _options(NUMBER, "lora_rank", "lora_alpha") | _options(
    NOTHING, "quantization_config", "gptq_unpacked_column_size"
)
_DENSE = {"units": SIZE, "activation": ACTIVATION, "use_bias": FLAG}
_DENSE |= _weights("kernel", "bias") | _LOW_RANK
_SIMPLE_CELL = (
    {"units": SIZE, "activation": ACTIVATION, "use_bias": FLAG}
    | _weights("kernel", "recurrent", "bias")
    | _options(NUMBER, "dropout", "recurrent_dropout", "implementation")
    | _RANDOM
)
_GRU_CELL = _SIMPLE_CELL | {
    "recurrent_activation": ACTIVATION,
    "reset_after": FLAG,
}
_LSTM_CELL = _SIMPLE_CELL | {
    "recurrent_activation": ACTIVATION,
    "unit_forget_bias": FLAG,
}
_LOOP = _options(
    FLAG,
    "return_sequences",
    "return_state",
    "go_backwards",
    "stateful",
    "unroll",
    "time_major",
    "zero_output_for_mask",
    "return_runtime",
) | {"num_constants": SIZE, "input_dim": SIZE, "input_length": SIZE}
_FUSED = _LOOP | {"use_cudnn": PLAIN}
_WINDOW = _options(SIZE, "kernel_size", "strides", "dilation_rate") | {
    "padding": TEXT,
    "data_format": TEXT,
}
_CONVOLUTION = (
    _WINDOW
    | {"filters": SIZE, "groups": SIZE, "rank": SIZE}
    | {"activation": ACTIVATION, "use_bias": FLAG}
    | _weights("kernel", "bias")
    | _LOW_RANK
)
_TRANSPOSED = _CONVOLUTION | {"output_padding": SIZE}
_DEPTHWISE = _CONVOLUTION | {"depth_multiplier": SIZE} | _weights("depthwise")
_SEPARABLE = _DEPTHWISE | _weights("pointwise")
_CONV_LSTM = _LSTM_CELL | _WINDOW | _LOOP | {"filters": SIZE}
_POOL = {
    "pool_size": SIZE,
    "strides": SIZE,
    "padding": TEXT,
    "data_format": TEXT,
}
_GLOBAL_POOL = {"data_format": TEXT, "keepdims": FLAG}
_NORMALIZED = (
    {"axis": SIZE, "epsilon": NUMBER, "center": FLAG, "scale": FLAG}
    | _weights("beta", "gamma")
    | {"rms_scaling": FLAG}
)
_BATCH_NORMALIZED = (
    _NORMALIZED
    | _options(FLAG, "fused", "synchronized", "renorm")
    | _options(NUMBER, "momentum", "renorm_momentum")
    | {"virtual_batch_size": SIZE, "renorm_clipping": NOTHING}
    | _options(INITIALIZER, "moving_mean_initializer")
    | _options(INITIALIZER, "moving_variance_initializer")
)
_DROPPED = {"rate": NUMBER, "noise_shape": SIZE, "data_format": TEXT}
_DROPPED |= _RANDOM
_ATTENTION = (
    {"use_scale": FLAG, "score_mode": TEXT, "dropout": NUMBER}
    | {"causal": FLAG}
    | _RANDOM
)
_HEADS = (
    _options(SIZE, "num_heads", "key_dim", "value_dim", "output_shape")
    | _options(SIZE, "attention_axes", "query_shape", "key_shape")
    | _options(SIZE, "value_shape", "sliding_window")
    | _options(FLAG, "use_bias", "flash_attention", "use_gate")
    | {"softmax_robust_masking": FLAG, "dropout": NUMBER, "seed": NUMBER}
    | _weights("kernel", "bias")
)
_PICTURE = (
    _options(PLAIN, "factor", "height_factor", "width_factor", "value_range")
    | _options(TEXT, "mode", "fill_mode", "interpolation", "data_format")
    | _options(SIZE, "height", "width")
    | _options(FLAG, "crop_to_aspect_ratio", "pad_to_aspect_ratio")
    | {"antialias": FLAG, "fill_value": NUMBER}
    | {"bounding_box_format": TEXT}
    | _RANDOM
)
_BINNED = {"num_bins": SIZE, "output_mode": TEXT, "sparse": FLAG}
_EMBEDDING = (
    {"input_dim": SIZE, "output_dim": SIZE, "input_length": SIZE}
    | {"mask_zero": FLAG, "sparse": FLAG}
    | _weights("embeddings")
    | _LOW_RANK
)
_MODEL = {"layers": LAYERS, "input_layers": READS, "output_layers": READS}
_ONE_AXIS = {"axis": SIZE}
_NO_OPTIONS = types.MappingProxyType({})


def _sized(options, *names, of=("1D", "2D", "3D")):
    return {f"{name}{ending}": options for name in names for ending in of}


LAYER_OPTIONS = (
    {
        "InputLayer": {
            "batch_shape": SIZE,
            "shape": SIZE,
            "input_shape": SIZE,
            "batch_size": SIZE,
            "sparse": FLAG,
            "ragged": FLAG,
            "optional": FLAG,
        },
        "Dense": _DENSE,
        "EinsumDense": _DENSE
        | {"equation": TEXT, "output_shape": SIZE, "bias_axes": TEXT},
        "Embedding": _EMBEDDING,
        "Activation": {"activation": ACTIVATION},
        "ActivityRegularization": {"l1": NUMBER, "l2": NUMBER},
        "Masking": {"mask_value": NUMBER},
        "Identity": {},
        "Flatten": {"data_format": TEXT},
        "Reshape": {"target_shape": SIZE},
        "Permute": {"dims": SIZE},
        "RepeatVector": {"n": SIZE},
        # Recurrent ones.
        "SimpleRNN": _SIMPLE_CELL | _LOOP,
        "GRU": _GRU_CELL | _FUSED,
        "LSTM": _LSTM_CELL | _FUSED,
        "CuDNNGRU": _GRU_CELL | _FUSED,
        "CuDNNLSTM": _LSTM_CELL | _FUSED,
        "SimpleRNNCell": _SIMPLE_CELL,
        "GRUCell": _GRU_CELL,
        "LSTMCell": _LSTM_CELL,
        "RNN": _LOOP | {"cell": LAYER},
        "StackedRNNCells": {"cells": LAYERS, "reverse_state_order": FLAG},
        "Bidirectional": {
            "layer": LAYER,
            "backward_layer": LAYER,
            "merge_mode": TEXT,
        },
        "TimeDistributed": {"layer": LAYER},
        # Those that bring layers together.
        "Concatenate": _ONE_AXIS,
        "Dot": {"axes": SIZE, "normalize": FLAG},
        "Attention": _ATTENTION,
        "AdditiveAttention": _ATTENTION,
        "MultiHeadAttention": _HEADS,
        # Normalizing, and what is left out in training.
        "BatchNormalization": _BATCH_NORMALIZED,
        "BatchNormalizationV1": _BATCH_NORMALIZED,
        "BatchNormalizationV2": _BATCH_NORMALIZED,
        "LayerNormalization": _NORMALIZED,
        "GroupNormalization": _NORMALIZED | {"groups": SIZE},
        "UnitNormalization": _ONE_AXIS,
        "Normalization": {
            "axis": SIZE,
            "mean": PLAIN,
            "variance": PLAIN,
            "invert": FLAG,
        },
        "Dropout": _DROPPED,
        "AlphaDropout": _DROPPED,
        "GaussianDropout": _DROPPED,
        "GaussianNoise": {"stddev": NUMBER} | _RANDOM,
        # Activations.
        "ReLU": _options(NUMBER, "max_value", "negative_slope", "threshold"),
        "LeakyReLU": {"alpha": NUMBER, "negative_slope": NUMBER},
        "ELU": {"alpha": NUMBER},
        "PReLU": _weights("alpha") | {"shared_axes": SIZE},
        "Softmax": _ONE_AXIS | {"robust_masking": FLAG},
        # Numbers in, numbers out.
        "Rescaling": {"scale": PLAIN, "offset": PLAIN},
        "Discretization": _BINNED
        | {"bin_boundaries": PLAIN, "epsilon": NUMBER},
        "CategoryEncoding": {"num_tokens": SIZE, "max_tokens": SIZE}
        | {"output_mode": TEXT, "sparse": FLAG, "count_weights": FLAG},
        "Hashing": _BINNED | {"mask_value": PLAIN, "salt": SIZE},
        "HashedCrossing": _BINNED,
        "Resizing": _PICTURE,
        "CenterCrop": _PICTURE,
    }
    | _sized(_CONVOLUTION, "Conv", "Convolution")
    | {f"Conv{n}DTranspose": _TRANSPOSED for n in (1, 2, 3)}
    | {f"Convolution{n}DTranspose": _TRANSPOSED for n in (1, 2, 3)}
    | _sized(_DEPTHWISE, "DepthwiseConv", of=("1D", "2D"))
    | _sized(_SEPARABLE, "SeparableConv", of=("1D", "2D"))
    | _sized(_SEPARABLE, "SeparableConvolution", of=("1D", "2D"))
    | _sized(_CONV_LSTM, "ConvLSTM")
    | _sized(_POOL, "MaxPooling", "AveragePooling", "MaxPool", "AvgPool")
    | _sized(_GLOBAL_POOL, "GlobalMaxPooling", "GlobalAveragePooling")
    | _sized(_GLOBAL_POOL, "GlobalMaxPool", "GlobalAvgPool")
    | _sized({"cropping": SIZE, "data_format": TEXT}, "Cropping")
    | _sized({"padding": SIZE, "data_format": TEXT}, "ZeroPadding")
    | _sized(
        {"size": SIZE, "data_format": TEXT, "interpolation": TEXT},
        "UpSampling",
    )
    | _sized(_DROPPED, "SpatialDropout")
    | dict.fromkeys(
        words("Add Subtract Multiply Average Maximum Minimum"), _NO_OPTIONS
    )
    | dict.fromkeys(
        [f"Random{what}" for what in ("Brightness", "Contrast", "Crop")]
        + [f"Random{what}" for what in ("Flip", "Rotation", "Translation")]
        + ["RandomZoom"],
        _PICTURE,
    )
)
MODEL_OPTIONS = dict.fromkeys(("Model", "Functional", "Network"), _MODEL)
MODEL_OPTIONS["Sequential"] = {"layers": LAYERS, "build_input_shape": SIZE}

# Options without which a class would silently get its default.
REQUIRED = (
    dict.fromkeys(
        ("LSTM", "GRU", "LSTMCell", "GRUCell"),
        ("activation", "recurrent_activation", "recurrent_initializer"),
    )
    | dict.fromkeys(
        ("SimpleRNN", "SimpleRNNCell"),
        ("activation", "recurrent_initializer"),
    )
    | {
        "Dense": ("activation",),
        "Activation": ("activation",),
        "Embedding": ("mask_zero", "embeddings_initializer"),
        "Bidirectional": ("layer",),
        "TimeDistributed": ("layer",),
        "RNN": ("cell",),
        "StackedRNNCells": ("cells",),
        "Masking": ("mask_value",),
    }
)

# Where Keras says that a class or a function lies. Keras would import what
# another name says.
LAYER_MODULES = frozenset(("keras.layers",))
MODEL_MODULES = frozenset(
    words(
        """keras keras.models keras.engine.functional keras.engine.sequential
        keras.src.engine.functional keras.src.engine.sequential
        keras.src.models.functional keras.src.models.sequential
        tf_keras.src.engine.functional tf_keras.src.engine.sequential"""
    )
)
FUNCTION_MODULES = frozenset(("builtins", "keras.activations"))
OWN_MODULE, OWN_PACKAGE = "tf2.tf1_cells", "rnn_parity"
OPERATION_MODULES = frozenset(
    ("keras.src.ops.numpy", "keras.src.ops.nn", "keras.src.ops.core")
)

# Layers of these classes may stand where an activation's name could.
ACTIVATION_LAYERS = ("ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax")

# Names that older releases and their aliases gave, too.
FUNCTIONS = frozenset(
    words(
        """celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu
        hard_swish hard_tanh leaky_relu linear log_sigmoid log_softmax
        mish relu relu6 selu sigmoid silu soft_shrink softmax softplus
        softsign sparse_plus sparse_sigmoid sparsemax squareplus swish
        tanh tanh_shrink threshold"""
    )
)

_SEEDED = {"seed": NUMBER}
_SCALED = _SEEDED | {"input_axes": SIZE, "output_axes": SIZE}
_NORMAL = _SEEDED | {"mean": NUMBER, "stddev": NUMBER}
_UNIFORM = _SEEDED | {"minval": NUMBER, "maxval": NUMBER}
_ORTHOGONAL = _SEEDED | {"gain": NUMBER}


def _both_ways(**table):
    """Under the name of the class, and as snake_case for the function."""
    return table | {
        "".join(f"_{c.lower()}" if c.isupper() else c for c in name)[1:]: each
        for name, each in table.items()
    }


# "dtype" and "partition_info" are of TensorFlow 1.
INITIALIZERS = {
    name: options | {"dtype": DTYPE}
    for name, options in (
        _both_ways(
            Zeros={},
            Ones={},
            Constant={"value": PLAIN, "verify_shape": FLAG},
            RandomNormal=_NORMAL,
            TruncatedNormal=_NORMAL,
            RandomUniform=_UNIFORM,
            Orthogonal=_ORTHOGONAL,
            Identity={"gain": NUMBER},
            VarianceScaling=_SCALED
            | {"scale": NUMBER, "mode": TEXT, "distribution": TEXT},
            GlorotNormal=_SCALED,
            GlorotUniform=_SCALED,
            HeNormal=_SCALED,
            HeUniform=_SCALED,
            LecunNormal=_SCALED,
            LecunUniform=_SCALED,
        )
        | {"OrthogonalInitializer": _ORTHOGONAL, "uniform": _UNIFORM}
        | {"normal": _NORMAL, "IdentityInitializer": {"gain": NUMBER}}
    ).items()
}
_PENALTIES = {"l1": NUMBER, "l2": NUMBER}
REGULARIZERS = {
    "L1L2": _PENALTIES,
    "L1": _PENALTIES,
    "L2": _PENALTIES,
    "l1": _PENALTIES,
    "l2": _PENALTIES,
    "l1_l2": _PENALTIES,
    "OrthogonalRegularizer": {"factor": NUMBER, "mode": TEXT},
}
_NORMS = {"max_value": NUMBER, "min_value": NUMBER, "rate": NUMBER}
_NORMS |= {"axis": SIZE}
CONSTRAINTS = _both_ways(
    MaxNorm=_NORMS, MinMaxNorm=_NORMS, UnitNorm=_NORMS, NonNeg={}
)
_POLICY = {"name": TEXT, "loss_scale": LOSS_SCALE}
POLICIES = dict.fromkeys(
    words("Policy PolicyV1 DTypePolicy FloatDTypePolicy"), _POLICY
)
LOSS_SCALES = dict.fromkeys(
    ("DynamicLossScale", "FixedLossScale"),
    _options(
        NUMBER,
        *words(
            """initial_loss_scale increment_period multiplier
            loss_scale_value"""
        ),
    ),
)
COMPILED_WITH = {
    "optimizer": OPTIMIZER,
    "loss": SCORE,
    "metrics": SCORE,
    "weighted_metrics": SCORE,
    "loss_weights": PLAIN,
    "run_eagerly": FLAG,
    "steps_per_execution": SIZE,
    "jit_compile": PLAIN,
    "auto_scale_loss": FLAG,
}
DTYPES = frozenset(
    words(
        """float16 float32 float64 bfloat16 int8 uint8 int16 uint16 int32
        uint32 int64 uint64 bool string mixed_float16 mixed_bfloat16 infer
        _infer"""
    )
)
# What a layer is called with besides what it reads.
CALLED_WITH = frozenset(
    words(
        """training mask initial_state constants states query value key
        query_mask value_mask key_mask attention_mask use_causal_mask
        inputs return_attention_scores"""
    )
)

# --- Of `.keras` files, which Keras 3 writes ---

_WITHIN = {"cell": LAYER}
_OWN_CELL = {"units": SIZE, "forget_bias": NUMBER, "activation": ACTIVATION}
_PEEPHOLES = {"use_peepholes": FLAG, "cell_clip": NUMBER}
_OF_A_GRID = _options(SIZE, "input_size", "feature_size", "frequency_skip")
OWN_OPTIONS = {
    "Embedding": _EMBEDDING,
    "ResidualCell": _WITHIN,
    "TF1LSTMCell": _OWN_CELL
    | _PEEPHOLES
    | {"projection": SIZE, "proj_clip": NUMBER, "layer_norm": PLAIN},
    "CoupledLSTMCell": _OWN_CELL
    | _PEEPHOLES
    | {"projection": SIZE, "proj_clip": NUMBER},
    "UGRNNCell": _OWN_CELL,
    "IntersectionRNNCell": _OWN_CELL,
    "SRUCell": _OWN_CELL,
    "NASCell": _OWN_CELL | {"projection": SIZE, "use_bias": FLAG},
    "AttentionCellWrapper": _WITHIN
    | _options(SIZE, "attn_length", "attn_size", "attn_vec_size")
    | {"input_size": SIZE},
    "PhasedLSTMCell": _OWN_CELL | _PEEPHOLES | {"leak": NUMBER},
    "TimeFreqLSTMCell": _OWN_CELL | _PEEPHOLES | _OF_A_GRID,
    "AttentionWrapper": _WITHIN
    | {"memory_shape": SIZE, "attention": TEXT, "attention_units": SIZE}
    | {"attention_layer_size": SIZE, "scale": PLAIN}
    | {"output_attention": FLAG},
    "GridRNNCell": {"cells": LAYERS, "dimensions": PLAIN},
    "GridLSTMCell": _OWN_CELL
    | _PEEPHOLES
    | _OF_A_GRID
    | {"ranges": PLAIN, "share_weights": FLAG, "coupled": FLAG}
    | {"slice_offset": SIZE, "reverse": FLAG},
}
# Operations of `keras.ops` that only compute, as layers of a model.
OPERATIONS = dict.fromkeys(
    words(
        """Absolute Add Cast Concatenate Divide Exp ExpandDims Flip GetItem
        Log Matmul Max Maximum Mean Min Minimum Multiply Negative Power
        Relu Reshape Sigmoid Softmax Sqrt Square Squeeze Stack Subtract
        Sum Swapaxes Tanh Transpose TrueDivide Where"""
    ),
    {"axis": SIZE, "axes": SIZE, "keepdims": FLAG, "newshape": SIZE}
    | {"dtype": DTYPE, "axis1": SIZE, "axis2": SIZE},
)
_SCHEDULE_OPTIONS = _options(
    PLAIN,
    *words(
        """initial_learning_rate decay_steps first_decay_steps decay_rate
        staircase alpha name warmup_target warmup_steps t_mul m_mul
        boundaries values end_learning_rate power cycle"""
    ),
)
SCHEDULES = dict.fromkeys(
    words(
        """CosineDecay CosineDecayRestarts ExponentialDecay InverseTimeDecay
        PiecewiseConstantDecay PolynomialDecay"""
    ),
    _SCHEDULE_OPTIONS,
)
OPTIMIZERS = dict.fromkeys(
    words(
        """Adadelta Adafactor Adagrad Adam Adamax AdamW Ftrl Lamb Lion Muon
        Nadam RMSprop SGD"""
    ),
    _options(
        PLAIN,
        *words(
            """name weight_decay clipnorm clipvalue global_clipnorm use_ema
            ema_momentum ema_overwrite_frequency loss_scale_factor
            gradient_accumulation_steps rho epsilon beta_2_decay epsilon_1
            epsilon_2 clip_threshold relative_step
            initial_accumulator_value beta_1 beta_2 amsgrad
            learning_rate_power l1_regularization_strength
            l2_regularization_strength
            l2_shrinkage_regularization_strength beta momentum nesterov
            centered adam_beta_1 adam_beta_2 adam_weight_decay
            exclude_embeddings muon_a muon_b muon_c adam_lr_ratio ns_steps
            rms_rate exclude_layers"""
        ),
    )
    | {"learning_rate": SCHEDULE},
)
LOSSES_AND_METRICS = dict.fromkeys(
    words(
        """AUC Accuracy BinaryAccuracy BinaryCrossentropy
        BinaryFocalCrossentropy BinaryIoU CategoricalAccuracy
        CategoricalCrossentropy CategoricalFocalCrossentropy
        CategoricalHinge CosineSimilarity Dice F1Score FBetaScore
        FalseNegatives FalsePositives Hinge Huber IoU KLDivergence LogCosh
        LogCoshError Mean MeanAbsoluteError MeanAbsolutePercentageError
        MeanIoU MeanSquaredError MeanSquaredLogarithmicError OneHotIoU
        OneHotMeanIoU Poisson Precision PrecisionAtRecall R2Score Recall
        RecallAtPrecision RootMeanSquaredError SensitivityAtSpecificity
        SparseCategoricalAccuracy SparseCategoricalCrossentropy
        SparseTopKCategoricalAccuracy SpecificityAtSensitivity
        SquaredHinge Sum TopKCategoricalAccuracy Tversky TrueNegatives
        TruePositives"""
    ),
    _options(
        PLAIN,
        *words(
            """name reduction from_logits ignore_class label_smoothing axis
            apply_class_balancing alpha gamma delta threshold thresholds
            top_k class_id k num_classes target_class_ids sparse_y_true
            sparse_y_pred num_thresholds curve summation_method
            multi_label num_labels label_weights average beta precision
            recall sensitivity specificity class_aggregation
            num_regressors variance_weights"""
        ),
    )
    | {"dtype": DTYPE},
)
SCORES = frozenset(
    words(
        """acc accuracy auc ce mae mape mse msle kld bce cosine_similarity
        binary_accuracy binary_crossentropy binary_focal_crossentropy
        categorical_accuracy categorical_crossentropy
        categorical_focal_crossentropy categorical_hinge crossentropy dice
        hinge huber kl_divergence kullback_leibler_divergence log_cosh
        logcosh mean_absolute_error mean_absolute_percentage_error
        mean_squared_error mean_squared_logarithmic_error poisson
        sparse_categorical_accuracy sparse_categorical_crossentropy
        sparse_top_k_categorical_accuracy squared_hinge
        top_k_categorical_accuracy tversky"""
    )
)
