"""old weights -> new architecture, same function where neighbours are as the frame before."""
import json, sys, numpy as np
from pathlib import Path
src, dst = Path(sys.argv[1]), Path(sys.argv[2])
a = dict(np.load(src)); cfg = a.pop('config')
f = {k: v.astype(np.float32) for k, v in a.items()}
stem = f['stem/kernel']; cur, prev = stem[:, :, :24], stem[:, :, 24:]
f['stem/kernel'] = np.concatenate([cur + prev, prev, np.zeros_like(prev)], 2)
bank = f['bank/kernel']; z = np.zeros((*bank.shape[:2], 16, bank.shape[3]), np.float32)
f['bank/kernel'] = np.concatenate([bank, z, z], 2)
q = f['choice/kernel'].shape[2]
for g in ('gate_reference', 'gate_following'):
    f[g+'/kernel'] = np.zeros((1, 1, q, 24), np.float32); f[g+'/bias'] = np.zeros(24, np.float32)
np.savez_compressed(dst, config=str(cfg), **{k: v.astype(np.float16) for k, v in f.items()})
