case $- in *i*) ;; *) return ;; esac
PS1='\w\$ '
alias ls='ls --color=auto' ll='ls -l'
HISTCONTROL=ignoredups
