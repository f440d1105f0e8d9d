import sys
from pathlib import Path
import numpy as np
from models.runtimes import load_keras
load_keras()
from models.keras_network import load
from models.evaluation.clips import find_clips, pair_clips
from models.evaluation.evaluate import restorer
from models.evaluation.metrics import psnr
old=sys.argv[1]=='old'; m=load(sys.argv[2]); folder=Path(sys.argv[3])
kinds={'live':{}} if old else {'live':{},'ahead':{'look_ahead':True}}
for k,kw in list(kinds.items())+[('withheld',{})]:
    rows=[]
    r=restorer(m.network,m.config,**kw)
    for b,s in pair_clips(find_clips(folder/'blur'),find_clips(folder/'sharp')):
        bl,sh=list(b.frames()),list(s.frames())
        outs=[next(iter(r([f]))) for f in bl] if k=='withheld' else list(r(bl))
        rows+=[(psnr(t,x),psnr(t,o)) for x,o,t in zip(bl,outs,sh)]
    a=np.array(rows); lo=a[a[:,0]<27]; 
    print(f"{sys.argv[1]} {sys.argv[2]} {k}: all {np.mean(a[:,1]-a[:,0]):+.3f} ({len(a)}), <27 dB {np.mean(lo[:,1]-lo[:,0]):+.3f} ({len(lo)} of mean {lo[:,0].mean():.2f})",flush=True)
