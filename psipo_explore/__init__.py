"""ΨPO and IPO (Azar et al. 2023, arXiv:2310.12036), computed exactly on finite sets of actions."""

from psipo_explore.comparisons import Comparisons
from psipo_explore.datasets import D1, D2, D3, citations
from psipo_explore.diagnosis import Diagnosis, diagnose
from psipo_explore.log_linear import LogLinearMinimum, minimise_log_linear
from psipo_explore.losses import DPO, IPO, MarginLoss
from psipo_explore.minimisers import Minimum, minimise
from psipo_explore.optimisers import Adam, GradientDescent
from psipo_explore.policy import gibbs_policy, kl_divergence, objective, optimal_policy
from psipo_explore.preferences import bradley_terry, tournament
from psipo_explore.psi import IDENTITY, LOGIT, Psi, folded_power
from psipo_explore.rewards import fit_reward
from psipo_explore.scores import ExpectedPsi, cyclic_share, expected_psi, expected_psi_bradley_terry
from psipo_explore.sweeps import sweep
from psipo_explore.training import TrainingRun, train

__version__ = "0.1.0"

__all__ = [
    "D1",
    "D2",
    "D3",
    "DPO",
    "IDENTITY",
    "IPO",
    "LOGIT",
    "Adam",
    "Comparisons",
    "Diagnosis",
    "ExpectedPsi",
    "GradientDescent",
    "LogLinearMinimum",
    "MarginLoss",
    "Minimum",
    "Psi",
    "TrainingRun",
    "bradley_terry",
    "citations",
    "cyclic_share",
    "diagnose",
    "expected_psi",
    "expected_psi_bradley_terry",
    "fit_reward",
    "folded_power",
    "gibbs_policy",
    "kl_divergence",
    "minimise",
    "minimise_log_linear",
    "objective",
    "optimal_policy",
    "sweep",
    "tournament",
    "train",
]
