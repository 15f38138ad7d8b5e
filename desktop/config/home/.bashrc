case $- in *i*) ;; *) return ;; esac
PS1='\w\$ '
alias ls='ls --color=auto' ll='ls -l'
HISTCONTROL=ignoredups
# Scipion's commands and Python, as its own programs have them.
export SCIPION_HOME=/opt/scipion VIRTUAL_ENV=/opt/scipion/.scipion3
case ":$PATH:" in *":$VIRTUAL_ENV/bin:"*) ;; *) PATH="/usr/local/bin:$VIRTUAL_ENV/bin:$PATH" ;; esac
